"""What earlier runs tried against a failure, and what this one adds.

It is a help and not a condition: when the store does not answer, a run heals without it.
"""

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.patch_memory import (
        MemoryQuestion,
        RememberRequest,
        recall_failed_patches,
        remember_failed_patches,
    )
    from regreen.contracts.healing import FailedPatch
    from regreen.roles import Role
    from workflows.calls import call
    from workflows.failures import one_line

_SECONDS = 60.0


async def recall(repository: str, signature: str) -> list[FailedPatch]:
    """The patches of earlier runs, the oldest first; none without a signature."""
    if not signature:
        return []
    try:
        found = await call(
            "runner",
            recall_failed_patches,
            MemoryQuestion(repository=repository, signature=signature),
            summary=f"patches tried before: {signature}",
            timeout=_SECONDS,
            within=_SECONDS,
        )
    except ActivityError as error:
        _go_on_without(error)
        return []
    return list(reversed(found.patches))


async def remember(repository: str, signature: str, patches: tuple[FailedPatch, ...]) -> None:
    """Keep patches for later runs."""
    if not signature or not patches:
        return
    try:
        await call(
            "runner",
            remember_failed_patches,
            RememberRequest(repository=repository, signature=signature, patches=patches),
            summary=f"patches that failed: {signature}",
            timeout=_SECONDS,
            within=_SECONDS,
        )
    except ActivityError as error:
        _go_on_without(error)


def _go_on_without(error: ActivityError) -> None:
    if is_cancelled_exception(error):
        raise error
    workflow.logger.warning("the memory of failed patches does not answer: %s", one_line(error))


ACTIVITIES: dict[Role, list[object]] = {
    "runner": [recall_failed_patches, remember_failed_patches],
}
