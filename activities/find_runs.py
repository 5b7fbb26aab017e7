"""Which runs a pull request or a ref has, by Temporal's visibility store."""

from datetime import timedelta

from temporalio import activity
from temporalio.client import Client, WorkflowExecution, WorkflowQueryFailedError

from regreen.contracts.repository import FoundRun, FoundRuns, RunQuestion
from regreen.contracts.run import RunReport

_MOST = 50
_PATIENCE = timedelta(seconds=8)


@activity.defn
async def find_runs(question: RunQuestion) -> FoundRuns:
    """The newest runs, at most fifty.

    Pull requests that are only local have numbers of their own, so that their runs are not among
    those of a forge's pull request; nor are ended ones whose history this version cannot read. The
    store follows what happens by some tenths of a second. Raises RPCError, and
    WorkflowQueryFailedError for a run that goes on and cannot be read.
    """
    client = activity.client()
    found = []
    async for execution in client.list_workflows(_query(question), limit=_MOST):
        activity.heartbeat({"subject": execution.id})
        if question.pull_request is not None and await _is_local(client, execution):
            continue
        known = {pair.key.name: str(pair.value) for pair in execution.typed_search_attributes or ()}
        found.append(
            FoundRun.model_validate(
                {
                    "workflow_id": execution.id,
                    "ref": known.get("RegreenRef", ""),
                    "commit": known.get("RegreenCommit", ""),
                    "state": known.get("RegreenState", "running"),
                    "ended": execution.close_time is not None,
                }
            )
        )
    return FoundRuns(runs=tuple(found))


async def _is_local(client: Client, execution: WorkflowExecution) -> bool:
    handle = client.get_workflow_handle(execution.id, run_id=execution.run_id)
    try:
        report = await handle.query("report", result_type=RunReport, rpc_timeout=_PATIENCE)
    except WorkflowQueryFailedError:
        if execution.close_time is None:
            raise
        # A run of an older version; it must not keep those after it from hearing of anything.
        return True
    return report.pull_request is None or report.pull_request.url.startswith("file:")


def _query(question: RunQuestion) -> str:
    parts = ["WorkflowType = 'PipelineWorkflow'"]
    parts.append(f"RegreenRepository = {_quoted(question.repository)}")
    if question.pull_request is not None:
        parts.append(f"RegreenPullRequest = '#{question.pull_request}'")
    else:
        parts += [
            f"RegreenRef = {_quoted(question.ref)}",
            "RegreenPullRequest IS NOT NULL",
            "ExecutionStatus = 'Running'",
        ]
    return " AND ".join(parts)


def _quoted(value: str) -> str:
    # Of a value with a double quote SQL visibility finds nothing, however it is escaped.
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
