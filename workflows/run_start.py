"""How a run is started: its id, what it is listed under, what it says of itself from the first."""

from temporalio import workflow
from temporalio.common import SearchAttributePair, TypedSearchAttributes

with workflow.unsafe.imports_passed_through():
    from regreen.contracts.run import PipelineRequest
    from workflows import search_attributes


def workflow_id(request: PipelineRequest) -> str:
    """`pipeline/<owner>/<name>/<commit>`: one run for a commit, and one that only heals."""
    kind = "heal" if request.heal_only else "pipeline"
    return f"{kind}/{request.repository}/{request.commit}"


def static_summary(request: PipelineRequest) -> str:
    """One line for lists."""
    return f"{request.repository} {request.ref} {request.commit[:12]}"


def static_details(request: PipelineRequest) -> str:
    """What the run is about, as Markdown."""
    return (
        f"Repository `{request.repository}`, ref `{request.ref}`, commit "
        f"`{request.commit}`, from `{request.location}`."
    )


def first_attributes(request: PipelineRequest) -> TypedSearchAttributes:
    """The search attributes that a run has from the first."""
    known = (
        (search_attributes.REPOSITORY, request.repository),
        (search_attributes.REF, request.ref),
        (search_attributes.COMMIT, request.commit),
        (search_attributes.STATE, "running"),
    )
    return TypedSearchAttributes([SearchAttributePair(key, value) for key, value in known])
