"""Following a run, and what goes on in it right now."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from temporalio.client import (
    Client,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
)
from temporalio.service import RPCError, RPCStatusCode

from regreen.contracts.run import RunReport
from regreen.contracts.test_stage import TestStageResult
from starters.console import note
from starters.runs.server_answers import check_readable, translated
from workflows.pipeline import PipelineWorkflow

_POLL_SECONDS = 0.5
# One can fail with its worker; one that fails again and again meets what does not go away.
_MANY_ATTEMPTS = 3


@dataclass(frozen=True)
class Step:
    """An activity that runs, or waits for a worker."""

    activity: str
    """The activity's name, such as `verify_patch`."""
    stage: str = ""
    """The test stage that it belongs to; empty for the other stages."""
    subject: str = ""
    line: str = ""
    """What it is at and what it last said; empty when it has not said anything."""
    seconds: float = 0.0
    """Since it started; 0 while it waits."""


@dataclass(frozen=True)
class Progress:
    """A run's report and what is going on in it right now."""

    report: RunReport
    attempts: dict[str, TestStageResult] = field(default_factory=dict)
    """Progress of the test stages that run."""
    steps: tuple[Step, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    """How long the test stages have been running."""
    waits: tuple[str, ...] = ()
    """What the release waits for, and what ends that; see `waits_of_release`."""


async def follow(
    client: Client, run: str, show: Callable[[Progress], None], *, through_waiting: bool = False
) -> RunReport:
    """Follow a run until it is at rest: ended, or waiting for a person.

    With `through_waiting` it is followed to its end. Raises ConnectionLost when the server goes,
    and UsageError when what is stored of it cannot be decrypted.
    """
    handle = client.get_workflow_handle_for(PipelineWorkflow.run, run)
    told = False
    ended = asyncio.create_task(_end_of(handle))
    try:
        while True:
            try:
                description = await handle.describe()
                await check_readable(description)
                if not told and (told := _fails_at_its_next_step(description)):
                    note(
                        f"no orchestrator gets {run} to its next step; `regreen.log` there says why"
                    )
                report = await handle.query(PipelineWorkflow.report)
                show(await _progress(client, handle, report))
            except RPCError as error:
                # It goes on once an orchestrator can.
                if not told or error.status is not RPCStatusCode.FAILED_PRECONDITION:
                    raise translated(error, run) from error
                await asyncio.sleep(_POLL_SECONDS)
                continue
            except (WorkflowQueryFailedError, WorkflowQueryRejectedError):
                await asyncio.sleep(_POLL_SECONDS)
                continue
            if description.status is not WorkflowExecutionStatus.RUNNING:
                return _final(description.status, report)
            if report.state == "waiting" and not through_waiting:
                return report
            if ended.done():
                await asyncio.sleep(_POLL_SECONDS)
            else:
                await asyncio.wait({ended}, timeout=_POLL_SECONDS)
    finally:
        ended.cancel()


async def waits_of_release(client: Client, report: RunReport) -> list[str]:
    """Why steps of the run's release are tried again and again, with what to do; often nothing."""
    if not any(stage.running and stage.name == "release" for stage in report.stages):
        return []
    try:
        child = await client.get_workflow_handle(f"{report.workflow_id}/release").describe()
    except RPCError:
        return []
    messages = []
    for pending in child.raw_description.pending_activities:
        if pending.HasField("last_failure"):
            failure = await client.data_converter.decode_failure(pending.last_failure)
            messages.append(getattr(failure, "message", "") or str(failure))
    return messages


async def _end_of(handle: WorkflowHandle[PipelineWorkflow, RunReport]) -> None:
    """Return when the run has ended, however it did, or when the server does not tell any more."""
    with contextlib.suppress(WorkflowFailureError, RPCError):
        await handle.result()


def _final(status: WorkflowExecutionStatus | None, report: RunReport) -> RunReport:
    """The report of a closed run; a workflow that was ended from outside could not say so."""
    if report.state not in ("running", "waiting"):
        return report
    outside = (WorkflowExecutionStatus.TERMINATED, WorkflowExecutionStatus.CANCELED)
    state = "cancelled" if status in outside else "failed"
    reason = f"the workflow was ended from outside ({status.name if status else 'unknown'})"
    return report.model_copy(update={"state": state, "reason": reason})


def _fails_at_its_next_step(description: WorkflowExecutionDescription) -> bool:
    task = description.raw_description.pending_workflow_task
    return task.attempt >= _MANY_ATTEMPTS


async def _progress(
    client: Client, handle: WorkflowHandle[PipelineWorkflow, RunReport], report: RunReport
) -> Progress:
    attempts: dict[str, TestStageResult] = {}
    seconds: dict[str, float] = {}
    steps = await _steps(await handle.describe(), "")
    for stage in report.stages:
        if stage.running and stage.state is None and stage.name in ("unit", "integration", "e2e"):
            child = client.get_workflow_handle(f"{report.workflow_id}/{stage.name}")
            try:
                attempts[stage.name] = await child.query("progress", result_type=TestStageResult)
                description = await child.describe()
                steps += await _steps(description, stage.name)
            except (RPCError, WorkflowQueryFailedError):
                continue
            seconds[stage.name] = _since(description.start_time)
    waits = tuple(await waits_of_release(client, report))
    return Progress(report, attempts, tuple(steps), seconds, waits)


async def _steps(description: WorkflowExecutionDescription, stage: str) -> list[Step]:
    steps = []
    for pending in description.raw_description.pending_activities:
        said: dict[str, object] = {}
        payloads = pending.heartbeat_details.payloads
        for detail in await description.data_converter.decode(payloads):
            said |= detail if isinstance(detail, dict) else {}
        started = pending.last_started_time
        steps.append(
            Step(
                activity=pending.activity_type.name,
                stage=stage,
                subject=str(said.get("subject") or ""),
                line=str(said.get("line") or ""),
                seconds=_since(started.ToDatetime(UTC)) if started.seconds else 0.0,
            )
        )
    return steps


def _since(moment: datetime) -> float:
    return max(0.0, (datetime.now(UTC) - moment).total_seconds())
