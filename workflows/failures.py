"""What a person is told of an error in a workflow."""

from temporalio.exceptions import ActivityError, ApplicationError, ChildWorkflowError


def one_line(error: BaseException) -> str:
    """The message of the innermost cause, its first line."""
    cause: BaseException = error
    while isinstance(cause, ActivityError | ChildWorkflowError) and cause.cause is not None:
        cause = cause.cause
    text = cause.message if isinstance(cause, ApplicationError) else str(cause)
    return (text.strip().splitlines() or [type(cause).__name__])[0]
