"""Finding runs, and what is known of them."""

from temporalio.client import Client, WorkflowExecutionStatus, WorkflowQueryFailedError
from temporalio.service import RPCError

from regreen.contracts.run import PipelineRequest, RunReport
from regreen.errors import UnreachableError, UsageError
from starters.runs.server_answers import check_readable, translated
from workflows import search_attributes
from workflows.pipeline import PipelineWorkflow
from workflows.run_start import workflow_id

# Less, an empty variable of a script above all, would mean whatever there is.
_SHORTEST_NAME = 4


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
        await check_readable(await handle.describe())
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
