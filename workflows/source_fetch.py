"""Fetching a commit of a run's repository."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.source import SourceRequest, fetch_source
    from regreen.contracts.run import PipelineRequest, SourceFetched
    from regreen.roles import Role
    from workflows.calls import call


async def fetch(request: PipelineRequest, commit: str) -> SourceFetched:
    """The commit as a source, with the pipeline file that it has."""
    return await call(
        "publisher",
        fetch_source,
        SourceRequest(
            repository=request.repository,
            location=request.location,
            ref=request.ref,
            commit=commit,
            base=request.base,
        ),
        summary=f"git fetch {request.ref} {commit[:12]}",
    )


ACTIVITIES: dict[Role, list[object]] = {"publisher": [fetch_source]}
