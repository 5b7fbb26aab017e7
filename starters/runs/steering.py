"""Starting runs, deciding about them, cancelling them."""

import asyncio
import uuid

from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from regreen.contracts.run import PipelineRequest, Review
from regreen.errors import UsageError
from regreen.roles import task_queue
from starters.runs.finding import report_of
from starters.runs.server_answers import translated
from workflows.pipeline import PipelineWorkflow
from workflows.run_start import first_attributes, static_details, static_summary, workflow_id

_POLL_SECONDS = 0.1


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
        await asyncio.sleep(_POLL_SECONDS)


async def left_waiting(client: Client, run: str) -> None:
    """Return once a run that is cancelled does not wait for a person any more."""
    while True:
        if (await report_of(client, run)).state != "waiting":
            return
        await asyncio.sleep(_POLL_SECONDS)


async def cancel(client: Client, run: str) -> None:
    """Cancel a run. Raises UsageError when there is none that could be cancelled."""
    try:
        await client.get_workflow_handle(run).cancel()
    except RPCError as error:
        raise translated(error, run) from error
