"""A run and a forge in place of the real ones: they keep what they are told and asked."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import Worker

from activities.event_delivery import deliver_events
from regreen.contracts.forge_event import ForgeEvent
from regreen.contracts.reconciliation import MissedEvents, MissedQuestion
from regreen.contracts.repository import (
    EventSelection,
    FoundRun,
    FoundRuns,
    RunQuestion,
    Selected,
)
from regreen.contracts.reviewer import ReviewerAnswer, ReviewerQuestion
from regreen.contracts.run import BaseMoved, Merge, PipelineRequest, Review
from regreen.roles import task_queue
from workers.worker import workflow_runner
from workflows.reconcile import ReconcileWorkflow
from workflows.repository import RepositoryWorkflow


@workflow.defn(name="PipelineWorkflow")
class RecordingRun:
    """Stands for a run: keeps what it is told, until it is told to end."""

    @workflow.init
    def __init__(self, request: PipelineRequest) -> None:
        self._request = request
        self._told: list[str] = []

    @workflow.signal
    def review(self, review: Review) -> None:
        self._told.append(f"{review.decision} by {review.reviewer} {review.delivery_id}")

    @workflow.signal
    def merged(self, merge: Merge) -> None:
        self._told.append(f"merged {merge.commit[:2]} by {merge.merged_by}")

    @workflow.signal
    def base_moved(self, moved: BaseMoved) -> None:
        self._told.append(f"base moved to {moved.commit[:2]}")

    @workflow.query
    def told(self) -> list[str]:
        return self._told

    @workflow.query
    def request(self) -> PipelineRequest:
        return self._request

    @workflow.run
    async def run(self, request: PipelineRequest) -> None:
        await workflow.wait_condition(lambda: False)


class Forge:
    """What the publisher's activities answer in a test, and what they were asked."""

    def __init__(self) -> None:
        self.selected: Any = Selected()
        self.runs: tuple[FoundRun, ...] = ()
        self.may: Any = ReviewerAnswer()
        self.missed: tuple[ForgeEvent, ...] = ()
        self.asked: list[Any] = []

    def activities(self) -> list[Callable[..., Any]]:
        @activity.defn
        async def select_event(asked: EventSelection) -> Selected:
            return await self._answer(asked, self.selected)

        @activity.defn
        async def find_runs(question: RunQuestion) -> FoundRuns:
            self.asked.append(question)
            return FoundRuns(runs=self.runs)

        @activity.defn
        async def check_reviewer(question: ReviewerQuestion) -> ReviewerAnswer:
            return await self._answer(question, self.may)

        @activity.defn
        async def missed_deliveries(question: MissedQuestion) -> MissedEvents:
            return await self._answer(question, MissedEvents(events=self.missed))

        return [select_event, find_runs, check_reviewer, missed_deliveries, deliver_events]

    async def _answer(self, asked: Any, answer: Any) -> Any:
        self.asked.append(asked)
        if asyncio.iscoroutinefunction(answer):
            answer = await answer()
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def given(self, kind: type) -> list[Any]:
        return [asked for asked in self.asked if isinstance(asked, kind)]


@asynccontextmanager
async def serving_repositories(client: Client, forge: Forge) -> AsyncIterator[None]:
    """The orchestrator with the real workflow, and a publisher that is the forge."""
    async with AsyncExitStack() as stack:
        orchestrator = Worker(
            client,
            task_queue=task_queue("orchestrator"),
            workflows=[RepositoryWorkflow, ReconcileWorkflow, RecordingRun],
            workflow_runner=workflow_runner(),
        )
        # A worker that is made and never run keeps its queue to itself until it is collected.
        await stack.enter_async_context(orchestrator)
        publisher = Worker(
            client, task_queue=task_queue("publisher"), activities=forge.activities()
        )
        await stack.enter_async_context(publisher)
        yield
