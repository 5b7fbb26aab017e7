"""What a person is told of an error in a workflow."""

from temporalio.exceptions import ActivityError, ApplicationError, ChildWorkflowError


def one_line(error: BaseException) -> str:
    """The message of the innermost cause, its first line."""
    cause: BaseException = error
    while isinstance(cause, ActivityError | ChildWorkflowError) and cause.cause is not None:
        cause = cause.cause
    text = cause.message if isinstance(cause, ApplicationError) else str(cause)
    return (text.strip().splitlines() or [type(cause).__name__])[0]


def last_message(error: BaseException) -> str:
    """The first line of what the code itself said last; empty when it never came to that."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ApplicationError):
        cause = cause.__cause__
    return "" if cause is None else (cause.message.strip().splitlines() or [""])[0]
