"""Saying something on the pull request of a run's heals."""

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.pull_request import comment_on_pull_request
    from regreen.contracts.pull_request import Comment
    from workflows.calls import call
    from workflows.failures import last_message, one_line
    from workflows.line import Line

# Nobody's decision is heard meanwhile.
_MENTION_SECONDS = 120.0


async def mention(line: Line, key: str, text: str, summary: str) -> None:
    """As `comment`, for what a run does not depend on.

    Where the forge does not take it within two minutes, the audit record says so and that is all.
    """
    try:
        await comment(line, key, text, summary, within=_MENTION_SECONDS)
    except ActivityError as error:
        not_told(line, summary, error)


def not_told(line: Line, what: str, error: ActivityError) -> None:
    """Note that the forge did not take something. Raises the error if it is a cancellation."""
    if is_cancelled_exception(error):
        raise error
    line.audit.record("not-told", f"{what}: {last_message(error) or one_line(error)}")


async def comment(
    line: Line, key: str, text: str, summary: str, *, within: float | None = None
) -> None:
    """Add a comment, once for its key; nothing where no pull request is open.

    `within` is in seconds, for all tries.
    """
    if line.pull_request is None:
        return
    await call(
        "publisher",
        comment_on_pull_request,
        Comment(
            pull_request=line.pull_request,
            repository=line.request.repository,
            key=key,
            text=text,
        ),
        summary=f"#{line.pull_request.number}: {summary}",
        timeout=60,
        within=within,
    )
