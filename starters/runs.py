"""Starting, finding, following and steering runs."""

import asyncio
import contextlib
import uuid
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
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from regreen.contracts.run import PipelineRequest, Review, RunReport
from regreen.contracts.test_stage import TestStageResult
from regreen.errors import UnreachableError, UsageError
from regreen.roles import task_queue
from starters.console import note
from workflows import search_attributes
from workflows.pipeline import PipelineWorkflow
from workflows.run_start import first_attributes, static_details, static_summary, workflow_id

_POLL_SECONDS = 0.5
# One can fail with its worker; one that fails again and again meets what does not go away.
_MANY_ATTEMPTS = 3
# Less, an empty variable of a script above all, would mean whatever there is.
_SHORTEST_NAME = 4
AT_REST = ("passed", "released", "failed", "rejected", "expired", "cancelled", "waiting")
LOST = (RPCStatusCode.UNAVAILABLE, RPCStatusCode.CANCELLED, RPCStatusCode.DEADLINE_EXCEEDED)


class ConnectionLost(UnreachableError):
    """The server went away; connect again, the run goes on."""


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


async def start(client: Client, request: PipelineRequest, *, again: bool = False) -> bool:
    """Start the run of a commit, or find the one there is. Returns whether it was started.

    With `again` a run that has ended is run once more.
    """
    reuse = (
        WorkflowIDReusePolicy.ALLOW_DUPLICATE if again else WorkflowIDReusePolicy.REJECT_DUPLICATE
    )
    try:
        await client.start_workflow(
            PipelineWorkflow.run,
            request,
            id=workflow_id(request),
            task_queue=task_queue("orchestrator"),
            id_reuse_policy=reuse,
            id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
            static_summary=static_summary(request),
            static_details=static_details(request),
            search_attributes=first_attributes(request),
        )
    except WorkflowAlreadyStartedError:
        return False
    except RPCError as error:
        raise translated(error) from error
    return True


async def known_of(client: Client, request: PipelineRequest) -> RunReport:
    """What the server knows of a request's run without asking a worker: ids and state."""
    try:
        found = await client.get_workflow_handle(workflow_id(request)).describe()
    except RPCError as error:
        raise translated(error, workflow_id(request)) from error
    return RunReport.model_validate(
        {
            "workflow_id": found.id,
            "run_id": found.run_id,
            "state": found.typed_search_attributes.get(search_attributes.STATE, "running"),
            "request": request,
            "stages": (),
        }
    )


async def report_of(client: Client, run: str) -> RunReport:
    """The report of a run by its workflow id. Raises UsageError when there is no such run."""
    handle = client.get_workflow_handle_for(PipelineWorkflow.run, run)
    try:
        return await handle.query(PipelineWorkflow.report)
    except WorkflowQueryFailedError as error:
        await _readable(await handle.describe())
        raise UnreachableError(f"no worker could tell the state of {run}: {error}") from error
    except RPCError as error:
        raise translated(error, run) from error


async def has_ended(client: Client, run: str) -> bool:
    """Whether a run is closed, also when it was ended from outside and could not say so."""
    try:
        description = await client.get_workflow_handle(run).describe()
    except RPCError as error:
        raise translated(error, run) from error
    return description.status is not WorkflowExecutionStatus.RUNNING


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
                await _readable(description)
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


async def review(client: Client, run: str, given: Review) -> Review:
    """Send a person's decision to a run that waits for one; returns it as it was sent.

    Raises UsageError when it does not wait.
    """
    report = await report_of(client, run)
    if report.state != "waiting":
        raise UsageError(f"{run} does not wait for a decision; it is {report.state}")
    handle = client.get_workflow_handle_for(PipelineWorkflow.run, run)
    sent = given.model_copy(update={"delivery_id": given.delivery_id or str(uuid.uuid4())})
    await handle.signal(PipelineWorkflow.review, sent)
    return sent


async def weighed(client: Client, run: str, given: Review) -> None:
    """Return once a run has weighed a decision: it goes on, or waits for more people.

    Raises UsageError with the reason when the decision does not count.
    """
    while True:
        report = await report_of(client, run)
        for refused in report.refused_reviews:
            if refused.delivery_id == given.delivery_id:
                raise UsageError(f"the decision does not count: {refused.reason}")
        counted = given.delivery_id in [each.delivery_id for each in report.approvals]
        if counted or report.state != "waiting":
            return
        await asyncio.sleep(_POLL_SECONDS / 5)


async def left_waiting(client: Client, run: str) -> None:
    """Return once a run that is cancelled does not wait for a person any more."""
    while True:
        if (await report_of(client, run)).state != "waiting":
            return
        await asyncio.sleep(_POLL_SECONDS / 5)


async def cancel(client: Client, run: str) -> None:
    """Cancel a run. Raises UsageError when there is none that could be cancelled."""
    try:
        await client.get_workflow_handle(run).cancel()
    except RPCError as error:
        raise translated(error, run) from error


async def find_run(client: Client, name: str) -> str:
    """The workflow id of the run that `name` means: an id, a commit, or the start of either."""
    try:
        found = []
        async for execution in client.list_workflows('WorkflowType = "PipelineWorkflow"'):
            commit = execution.id.rpartition("/")[2]
            if name in (execution.id, execution.run_id):
                return execution.id
            if len(name) >= _SHORTEST_NAME and (
                execution.id.startswith(name) or commit.startswith(name)
            ):
                found.append(execution.id)
    except RPCError as error:
        raise translated(error) from error
    unique = list(dict.fromkeys(found))
    if not unique:
        raise UsageError(f"no run `{name}`; `regreen list` shows the runs")
    if len(unique) > 1:
        raise UsageError(f"`{name}` means {len(unique)} runs: {', '.join(unique[:3])}; say more")
    return unique[0]


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


async def _readable(description: WorkflowExecutionDescription) -> None:
    """Raise UsageError when this process lacks the key that the run is encrypted with."""
    await description.static_summary()


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
    return Progress(report, attempts, tuple(steps), seconds)


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


def translated(error: RPCError, run: str = "") -> Exception:
    """What Temporal's answer means to the user, with the way out."""
    if error.status is RPCStatusCode.NOT_FOUND:
        return UsageError(f"no run `{run}`; `regreen list` shows the runs")
    if error.status is RPCStatusCode.FAILED_PRECONDITION:
        return UnreachableError(
            f"no orchestrator answers for {run}, which waits; start `regreen worker --role "
            "orchestrator` and the other roles"
        )
    if "search attribute" in error.message.lower():
        return UsageError(
            f"the server lacks Regreen's search attributes ({error.message}); "
            "docs/operations.md has the commands that create them"
        )
    if error.status in LOST:
        return ConnectionLost("the server went away; run the command again, the run goes on")
    return UnreachableError(f"Temporal: {error.message}")
