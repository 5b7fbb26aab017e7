"""What a test asks the embedded server itself: quicker than a command, which is a process."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from temporalio.client import Client, ScheduleActionExecutionStartWorkflow
from temporalio.exceptions import TemporalError
from temporalio.service import RPCError

from activities.event_delivery import repository_workflow_id
from regreen.contracts.reconciliation import Reconciled
from regreen.contracts.repository import Handled
from regreen.contracts.run import RunReport
from regreen.errors import UnreachableError
from tests.e2e.regreen_program import wait_until
from workers.connection import connect, embedded_address
from workflows.pipeline import PipelineWorkflow
from workflows.reconcile import ReconcileWorkflow
from workflows.repository import RepositoryWorkflow

Answer = TypeVar("Answer")

_PATIENCE = timedelta(seconds=8)


def report(state: Path, run: str) -> RunReport | None:
    """A run's report; None while it is not there, or server or worker do not answer."""

    async def ask(client: Client) -> RunReport:
        handle = client.get_workflow_handle_for(PipelineWorkflow.run, run)
        return await handle.query(PipelineWorkflow.report, rpc_timeout=_PATIENCE)

    return _asked(state, ask)


def executions(state: Path, query: str) -> list[str] | None:
    """Workflow ids of what a list filter finds, one for each execution; None without an answer."""

    async def ask(client: Client) -> list[str]:
        return sorted([each.id async for each in client.list_workflows(query)])

    return _asked(state, ask)


def handled(state: Path, repository: str) -> list[Handled]:
    """What the workflow of a repository on GitHub did last."""

    async def ask(client: Client) -> list[Handled]:
        identifier = repository_workflow_id("github", repository)
        handle = client.get_workflow_handle_for(RepositoryWorkflow.run, identifier)
        return await handle.query(RepositoryWorkflow.recent, rpc_timeout=_PATIENCE)

    return _asked(state, ask) or []


def reconciled(state: Path, repository: str) -> Reconciled:
    """Trigger the schedule of the reconciler, and wait for the pass that it starts."""

    async def trigger(client: Client) -> int | None:
        handle = client.get_schedule_handle(f"reconcile/github/{repository}")
        known = (await handle.describe()).info
        if known.running_actions:
            return None
        await handle.trigger()
        return known.num_actions

    async def outcome(client: Client) -> Reconciled | None:
        handle = client.get_schedule_handle(f"reconcile/github/{repository}")
        info = (await handle.describe()).info
        if info.num_actions <= before:
            return None
        action = info.recent_actions[-1].action
        assert isinstance(action, ScheduleActionExecutionStartWorkflow)
        return await client.get_workflow_handle_for(
            ReconcileWorkflow.run, action.workflow_id
        ).result()

    before = _until(state, trigger, "the reconciler's schedule at rest")
    return _until(state, outcome, "a pass of the reconciler")


def _until(state: Path, ask: Callable[[Client], Awaitable[Answer | None]], what: str) -> Answer:
    found: list[Answer] = []

    def answered() -> bool:
        answer = _asked(state, ask)
        if answer is not None:
            found.append(answer)
        return answer is not None

    wait_until(answered, what, 60)
    return found[0]


def _asked(state: Path, ask: Callable[[Client], Awaitable[Answer]]) -> Answer | None:
    async def ask_there() -> Answer:
        # The server takes another port each time it starts.
        return await ask(await connect("starter", embedded_address(state)))

    try:
        return asyncio.run(ask_there())
    except (RPCError, TemporalError, UnreachableError):
        return None
