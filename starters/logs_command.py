"""`regreen logs`: what the steps of a run print, of ended ones and as it comes."""

import asyncio
import json as json_text
import os
import sys
from collections.abc import Iterator

from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError

from activities.artifact_store import open_store
from regreen.errors import EXIT_OK, UsageError
from regreen.settings import Settings
from starters import runs
from starters.console import note
from starters.outages import through_outages
from starters.run_log import LogLine, RunLog
from workers.embedded import Connection, temporal
from workflows.stage_table import STAGES

_POLL_SECONDS = 1.0
# Writing goes on beside a step, so that its last lines can come after the run's end.
_LAST_LINES_SECONDS = 3.0
_SOURCE = "source"
STAGE_NAMES = (_SOURCE, *(stage.name for stage in STAGES))
"""The stages whose output can be asked for."""
_WIDTH = max(map(len, STAGE_NAMES))
_STAGE_OF_ACTIVITY = {
    activity.__name__: stage.name  # type: ignore[attr-defined]
    for stage in reversed(STAGES)
    for activities in stage.activities.values()
    for activity in activities
}


async def logs(
    name: str, stage: str | None, *, follow: bool, json: bool, settings: Settings
) -> int:
    """Print what a run's steps have printed, of one stage or of all.

    With `follow` it goes on until the run has ended. Raises UsageError when there is no such run
    or stage.
    """
    if stage is not None and stage not in STAGE_NAMES:
        raise UsageError(f"no stage `{stage}`; stages: {', '.join(STAGE_NAMES)}")
    telling = _Telling(RunLog(open_store(settings.artifacts_url)), stage, json)

    async def work(connection: Connection) -> int:
        await telling.find(connection.client, name)
        while not await telling.ended(connection.client) and follow:
            await telling.tell(connection.client)
            await asyncio.sleep(_POLL_SECONDS)
        await telling.tell_the_last(connection.client)
        return EXIT_OK

    try:
        if follow:
            return await through_outages(settings, work)
        async with temporal(settings, ui=False) as connection:
            return await work(connection)
    except BrokenPipeError:
        # The reader has seen enough. What Python still holds must not meet the closed pipe again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_OK


class _Telling:
    """What has been told of a run, so that it can go on with another connection."""

    def __init__(self, log: RunLog, stage: str | None, json: bool) -> None:
        self._log = log
        self._stage = stage
        self._json = json
        self._workflow_id = ""
        self._run_id = ""
        self._is_ended = False
        self._stages: dict[str, str | None] = {}
        """By run id: the stage that a child workflow is; None for the run's own workflow."""
        self._told = False
        self._last_heading: tuple[str, str, int] | None = None

    async def find(self, client: Client, name: str) -> None:
        """Find the run, the first time; a later retry of the same commit is another run."""
        if not self._run_id:
            self._workflow_id = await runs.find_run(client, name)
            try:
                found = await client.get_workflow_handle(self._workflow_id).describe()
            except RPCError as error:
                raise runs.translated(error, name) from error
            self._run_id = found.run_id
            self._stages[found.run_id] = None

    async def ended(self, client: Client) -> bool:
        """Whether the run has ended."""
        handle = client.get_workflow_handle(self._workflow_id, run_id=self._run_id)
        try:
            found = await handle.describe()
        except RPCError as error:
            raise runs.translated(error, self._workflow_id) from error
        self._is_ended = found.status is not WorkflowExecutionStatus.RUNNING
        return self._is_ended

    async def tell(self, client: Client) -> None:
        """Print what is new."""
        await self._find_children(client)
        async for line in self._log.new_lines(self._stages):
            self._print(line)
        sys.stdout.flush()

    async def tell_the_last(self, client: Client) -> None:
        """Print the rest. Of a run that has ended, nothing more comes."""
        await self.tell(client)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _LAST_LINES_SECONDS
        while self._is_ended and not self._log.complete and loop.time() < deadline:
            await asyncio.sleep(_POLL_SECONDS / 4)
            await self.tell(client)
        for line in self._log.rest() if self._is_ended else ():
            self._print(line)
        if not self._told:
            of_stage = f" of {self._stage}" if self._stage else ""
            note(
                f"there is no output{of_stage}: no command has run, its results were reused, or "
                "REGREEN_ARTIFACTS is not the store that the runners use"
            )

    async def _find_children(self, client: Client) -> None:
        try:
            async for child in client.list_workflows(f"RootRunId = '{self._run_id}'"):
                if child.run_id not in self._stages:
                    self._stages[child.run_id] = child.id.rpartition("/")[2]
        except RPCError as error:
            raise runs.translated(error, self._workflow_id) from error

    def _print(self, line: LogLine) -> None:
        step = line.attempt.activity
        stage = self._stages[line.run] or _STAGE_OF_ACTIVITY.get(step, _SOURCE)
        if self._stage in (None, stage):
            self._told = True
            sys.stdout.writelines(
                f"{text}\n"
                for text in (self._as_json if self._json else self._as_text)(stage, line)
            )

    def _as_json(self, stage: str, line: LogLine) -> Iterator[str]:
        yield json_text.dumps(
            {
                "time": line.time.isoformat(timespec="milliseconds"),
                "stage": stage,
                "step": line.attempt.activity,
                "attempt": line.attempt.number,
                "line": line.text,
            },
            ensure_ascii=False,
        )

    def _as_text(self, stage: str, line: LogLine) -> Iterator[str]:
        heading = (line.run, line.attempt.activity_id, line.attempt.number)
        if heading != self._last_heading:
            self._last_heading = heading
            again = f", attempt {line.attempt.number}" if line.attempt.number > 1 else ""
            yield f"{stage:{_WIDTH}} ├ {line.attempt.activity}{again}"
        yield f"{stage:{_WIDTH}} │ {line.text}"
