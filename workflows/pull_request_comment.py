"""Saying something on the pull request of a run's heals."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.pull_request import comment_on_pull_request
    from regreen.contracts.pull_request import Comment
    from workflows.calls import call
    from workflows.line import Line


async def comment(line: Line, key: str, text: str, summary: str) -> None:
    """Add a comment, once for its key; nothing where no pull request is open."""
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
    )
