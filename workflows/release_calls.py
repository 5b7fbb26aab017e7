"""How ReleaseWorkflow calls the publisher."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from regreen.contracts.base import Contract
    from regreen.roles import task_queue
    from workflows.calls import not_cancelled

_RETRY = RetryPolicy(
    initial_interval=timedelta(milliseconds=500),
    backoff_coefficient=2.0,
    maximum_interval=timedelta(seconds=10),
)

Argument = TypeVar("Argument", bound=Contract)
Result = TypeVar("Result")


async def call_publisher(
    activity: Callable[[Argument], Awaitable[Result]], argument: Argument, *, summary: str
) -> Result:
    """Await an activity of the publisher, tried again until it ends or is not retryable."""
    return await not_cancelled(
        workflow.execute_activity(
            activity,
            argument,
            task_queue=task_queue("publisher"),
            start_to_close_timeout=timedelta(minutes=10),
            heartbeat_timeout=timedelta(seconds=10),
            # Without a limit: a release waits for its key, disk or repository to come back.
            retry_policy=_RETRY,
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            summary=summary,
        )
    )
