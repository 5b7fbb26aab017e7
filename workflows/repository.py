"""RepositoryWorkflow: one for a repository, hears what its forge tells and acts on each once."""

import asyncio
from collections import deque
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from regreen.contracts.forge_event import ForgeEvent
    from regreen.contracts.repository import Handled, RepositoryState
    from regreen.markdown import code, prose
    from workflows.failures import one_line
    from workflows.repository_events import act
    from workflows.repository_memory import RepositoryMemory

# So many that a forge which does not answer for an hour holds up no approval.
_MOST_AT_ONCE = 200
_EVENTS_A_RUN = 1000
_GRACE = timedelta(seconds=30)


@workflow.defn
class RepositoryWorkflow:
    """Start, steer and cancel the runs of a repository by what happens there.

    Lives as long as the repository: it continues as new with what it remembers.
    """

    @workflow.init
    def __init__(self, state: RepositoryState) -> None:
        self._memory = RepositoryMemory(state)
        self._waiting = deque(state.pending)
        self._acting: dict[asyncio.Task[None], ForgeEvent] = {}
        self._taken = 0
        self._repeated = 0
        self._renewing = False

    @workflow.signal(description="What the forge tells of the repository.")
    def deliver(self, event: ForgeEvent) -> None:
        self._taken += 1
        if self._memory.take(event, workflow.time()):
            self._waiting.append(event)
        else:
            self._repeated += 1

    @workflow.query(description="What was done last, newest last.")
    def recent(self) -> list[Handled]:
        return self._memory.recent

    @workflow.run
    async def run(self, state: RepositoryState) -> None:
        self._show()
        while not self._must_renew():
            while self._waiting and len(self._acting) < _MOST_AT_ONCE:
                event = self._waiting.popleft()
                self._acting[asyncio.create_task(self._act(event))] = event
            await workflow.wait_condition(lambda: self._can_begin() or self._must_renew())
        left = await self._let_end()
        workflow.continue_as_new(self._memory.state(left, workflow.time()))

    def _can_begin(self) -> bool:
        return bool(self._waiting) and len(self._acting) < _MOST_AT_ONCE

    def _must_renew(self) -> bool:
        suggested = workflow.info().is_continue_as_new_suggested()
        return self._renewing or suggested or self._taken >= _EVENTS_A_RUN

    async def _act(self, event: ForgeEvent) -> None:
        try:
            outcome = await act(event, self._memory)
        except Exception as error:
            if is_cancelled_exception(error):
                raise
            outcome = f"failed: {one_line(error)}"
            # A redelivery is new then; the server, which signals once for an event, forgets that
            # only with this run.
            self._memory.forget(event)
            self._renewing = True
        self._memory.note(event, outcome, workflow.now())
        del self._acting[_current()]
        self._show()

    async def _let_end(self) -> tuple[ForgeEvent, ...]:
        """End what is under way; returns what is left for the next run of this workflow."""
        if self._acting:
            # An approval must not wait for a forge that does not answer.
            await workflow.wait(list(self._acting), timeout=_GRACE.total_seconds())
        for task in list(self._acting):
            task.cancel()
        await asyncio.gather(*self._acting, return_exceptions=True)
        # Those that ended after all have left the table.
        return (*self._acting.values(), *self._waiting)

    def _show(self) -> None:
        rows = [
            f"|\u00a0{each.at}\u00a0|\u00a0{code(each.identity, 90)}\u00a0|\u00a0"
            f"{prose(each.actor, 60)}\u00a0| {prose(each.outcome)} |"
            for each in reversed(self._memory.recent)
        ]
        head = ["| when | event | by | done |", "|---|---|---|---|"]
        told = [f"{self._repeated} deliveries told what was known already.", ""]
        workflow.set_current_details("\n".join([*told, *head, *rows]))


def _current() -> asyncio.Task[None]:
    task = asyncio.current_task()
    assert task is not None
    return task


WORKFLOWS = [RepositoryWorkflow]
