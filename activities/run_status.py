"""Whether a run goes on, asked of the Temporal server."""

from temporalio import activity
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from regreen.contracts.base import Contract


class RunQuestion(Contract):
    """One run by its workflow id and run id."""

    run: str
    run_id: str


@activity.defn
async def is_run_open(question: RunQuestion) -> bool:
    """Whether the run has not ended. One that the server does not know any more has."""
    handle = activity.client().get_workflow_handle(question.run, run_id=question.run_id)
    try:
        return (await handle.describe()).status is WorkflowExecutionStatus.RUNNING
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise
