"""Which runs a pull request or a ref has, by Temporal's visibility store."""

from temporalio import activity

from regreen.contracts.repository import FoundRun, FoundRuns, RunQuestion

_MOST = 50


@activity.defn
async def find_runs(question: RunQuestion) -> FoundRuns:
    """The newest runs, at most fifty.

    The store follows what happens by some tenths of a second.
    """
    client = activity.client()
    found = []
    async for execution in client.list_workflows(_query(question), limit=_MOST):
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
