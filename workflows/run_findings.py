"""The findings of all gates of a run, kept together."""

import contextlib
from collections.abc import Iterable

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.run_findings import StageFindings, merge_findings
    from activities.sarif import SARIF
    from regreen.contracts.artifacts import ArtifactRef
    from regreen.contracts.run import StageReport
    from regreen.roles import Role
    from workflows.calls import call


async def merged_findings(stages: Iterable[StageReport]) -> ArtifactRef | None:
    """One SARIF file of all findings; None where no gate has weighed any, or it cannot be kept."""
    logs = stage_logs(stages)
    if not logs:
        return None
    # What the run says of the commit stays said, whether this can be kept or not.
    with contextlib.suppress(ActivityError):
        return await call(
            "runner",
            merge_findings,
            StageFindings(logs=logs),
            summary="findings of all gates",
            timeout=120,
            within=300,
        )
    return None


def stage_logs(stages: Iterable[StageReport]) -> tuple[ArtifactRef, ...]:
    """The SARIF log that each stage with gates keeps."""
    # What a repository packs may be called like one.
    return tuple(
        ref
        for each in stages
        for ref in each.artifacts
        if (ref.name, ref.media_type) == (f"{each.name}.sarif", SARIF)
    )


ACTIVITIES: dict[Role, list[object]] = {"runner": [merge_findings]}
