"""The part of a release that is about waivers: told in the folder, and still in force."""

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.release_waivers import write_waivers
    from activities.waivers import moment
    from regreen.contracts.release import ReleaseFile, ReleaseRequest
    from regreen.contracts.waivers import ReleasedWaivers, WaiversRequest
    from workflows.release_calls import call_publisher


async def tell(
    request: ReleaseRequest, packages: tuple[ReleaseFile, ...]
) -> ReleasedWaivers | None:
    """Write the statements about what is released; None when it needs no waiver."""
    if not request.waivers:
        return None
    return await call_publisher(
        write_waivers,
        WaiversRequest(
            repository=request.workspace.source.repository,
            version=request.plan.version,
            waivers=request.waivers,
            packages=packages,
            at=request.tagged_at,
        ),
        summary=f"OpenVEX: waivers of {request.plan.version}",
    )


def check(waivers: ReleasedWaivers | None) -> None:
    """Raise non-retryable ApplicationError `WaiverEnded` when one of them has ended by now."""
    if waivers is None or moment(waivers.first_to_end.expires) > workflow.now():
        return
    ended = waivers.first_to_end
    raise ApplicationError(
        f"a gate is open again: the waiver of {ended.rule} by {ended.owner} "
        f"ended on {ended.expires}",
        type="WaiverEnded",
        non_retryable=True,
    )
