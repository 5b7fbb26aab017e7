"""What Temporal's answers mean to the user, with the way out."""

from temporalio.client import WorkflowExecutionDescription
from temporalio.service import RPCError, RPCStatusCode

from regreen.errors import UnreachableError, UsageError

LOST = (RPCStatusCode.UNAVAILABLE, RPCStatusCode.CANCELLED, RPCStatusCode.DEADLINE_EXCEEDED)


class ConnectionLost(UnreachableError):
    """The server went away; connect again, the run goes on."""


def translated(error: RPCError, run: str = "") -> Exception:
    """What Temporal's answer means to the user, with the way out."""
    if error.status is RPCStatusCode.NOT_FOUND:
        return UsageError(f"no run `{run}`; `regreen list` shows the runs")
    if error.status is RPCStatusCode.FAILED_PRECONDITION:
        return UnreachableError(
            f"no orchestrator answers for {run}, which waits; start `regreen worker --role "
            "orchestrator` and the other roles"
        )
    if "search attribute" in error.message.lower():
        return UsageError(
            f"the server lacks Regreen's search attributes ({error.message}); "
            "docs/operations.md has the commands that create them"
        )
    if error.status in LOST:
        return ConnectionLost("the server went away; run the command again, the run goes on")
    return UnreachableError(f"Temporal: {error.message}")


async def check_readable(description: WorkflowExecutionDescription) -> None:
    """Raise UsageError when this process lacks the key that the run is encrypted with."""
    await description.static_summary()
