"""How workflows call activities: the role's queue, time-outs and retries in one place."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from pydantic import BaseModel

    from regreen.roles import Role, task_queue

Argument = TypeVar("Argument", bound=BaseModel)
Result = TypeVar("Result")

_HEARTBEAT = timedelta(seconds=10)
_RETRY = RetryPolicy(
    initial_interval=timedelta(milliseconds=500),
    backoff_coefficient=2.0,
    maximum_interval=timedelta(seconds=30),
    maximum_attempts=20,
    # A mistake in the code does not go away by trying again. Temporal compares exact class names.
    non_retryable_error_types=[
        "AssertionError",
        "AttributeError",
        "ImportError",
        "IndexError",
        "JSONDecodeError",
        "KeyError",
        "ModuleNotFoundError",
        "NameError",
        "NotImplementedError",
        "PydanticSerializationError",
        "TypeError",
        "TOMLDecodeError",
        "UnboundLocalError",
        "UnicodeDecodeError",
        "UnicodeEncodeError",
        "ValidationError",
        "ValueError",
        "ZeroDivisionError",
    ],
)


async def call(
    role: Role,
    activity: Callable[[Argument], Awaitable[Result]],
    argument: Argument,
    *,
    summary: str,
    timeout: float = 600.0,
    within: float | None = None,
) -> Result:
    """Run an activity on a role's queue and return its result.

    `summary` names tool and subject for the timeline. `timeout` is in seconds, for one attempt;
    `within` for all of them with the waiting between them.
    Subprocesses are ended before a cancellation is passed on.
    """
    return await not_cancelled(
        workflow.execute_activity(
            activity,
            argument,
            task_queue=task_queue(role),
            start_to_close_timeout=timedelta(seconds=timeout),
            schedule_to_close_timeout=None if within is None else timedelta(seconds=within),
            heartbeat_timeout=_HEARTBEAT,
            retry_policy=_RETRY,
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            summary=summary,
        )
    )


async def not_cancelled(step: Awaitable[Result]) -> Result:
    """Await a step, and raise CancelledError if its task was cancelled meanwhile.

    An activity that ends before it hears of its cancellation returns its result as if there were
    none, and what follows would begin.
    """
    result = await step
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
    return result


async def call_by_name(
    role: Role,
    activity: str,
    argument: BaseModel,
    result: type[Result],
    *,
    summary: str,
    timeout: float = 600.0,
    within: float | None = None,
) -> Result:
    """As `call`, for an activity of another module's that is known by its name only."""
    answer: Result = await not_cancelled(
        workflow.execute_activity(
            activity,
            argument,
            result_type=result,
            task_queue=task_queue(role),
            start_to_close_timeout=timedelta(seconds=timeout),
            schedule_to_close_timeout=None if within is None else timedelta(seconds=within),
            heartbeat_timeout=_HEARTBEAT,
            retry_policy=_RETRY,
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            summary=summary,
        )
    )
    return answer
