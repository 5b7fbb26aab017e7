"""Telling the run's report how its commands are isolated."""

from temporalio import activity

from activities.sandbox import isolation, require_isolation
from regreen.contracts.base import Contract


class IsolationQuestion(Contract):
    """Whether a missing sandbox is a failure."""

    required: bool


@activity.defn
async def report_isolation(question: IsolationQuestion) -> str:
    """`bubblewrap`, or `none: ` and the reason.

    Raises a non-retryable ApplicationError `SandboxUnavailable` when isolation is required.
    """
    require_isolation(question.required)
    found = isolation()
    return f"none: {found.reason}" if found.reason else found.kind
