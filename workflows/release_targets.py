"""The part of a release that goes to targets beside the release folder."""

from collections.abc import Sequence

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.publishing import (
        fetch_back,
        publish_on_target,
        stage_on_target,
        take_back_from_target,
    )
    from regreen.contracts.publishing import TargetRequest
    from regreen.contracts.receipts import TargetReceipt
    from regreen.contracts.release import ReleaseFile, ReleaseRequest, SignedFiles
    from workflows.release_calls import call_publisher


def target_requests(
    request: ReleaseRequest, files: tuple[ReleaseFile, ...], signed: SignedFiles
) -> tuple[TargetRequest, ...]:
    """What each target of the release is asked, in the pipeline file's order."""
    return tuple(
        TargetRequest(
            run=request.run,
            target=target,
            repository=request.workspace.source.repository,
            version=request.plan.version,
            tag=request.plan.tag,
            commit=request.commit,
            notes=request.plan.notes,
            files=files,
            public_key=signed.public_key,
            identity=signed.identity,
            trusted_root=signed.trusted_root,
        )
        for target in request.settings.targets
    )


async def stage(target: TargetRequest) -> str:
    """Write what can be taken back again, and find what is in the way."""
    await call_publisher(
        stage_on_target, target, summary=f"{target.target.label}: stage {target.tag}"
    )
    return "staged"


async def take_back(target: TargetRequest) -> str:
    """Remove what was staged."""
    summary = f"{target.target.label}: take back {target.tag}"
    return await call_publisher(take_back_from_target, target, summary=summary)


async def publish(targets: Sequence[TargetRequest]) -> tuple[TargetReceipt, ...]:
    """Publish on one target after the other."""
    return tuple(
        [
            await call_publisher(
                publish_on_target, target, summary=f"{target.target.label}: publish {target.tag}"
            )
            for target in targets
        ]
    )


async def verify(targets: Sequence[TargetRequest]) -> None:
    """Fetch everything back from where users fetch it."""
    for target in targets:
        await call_publisher(
            fetch_back, target, summary=f"{target.target.label}: fetch {target.tag} back"
        )


ACTIVITIES: list[object] = [
    stage_on_target,
    publish_on_target,
    fetch_back,
    take_back_from_target,
]
"""Activities that the publisher's workers run."""
