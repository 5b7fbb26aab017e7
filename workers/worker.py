"""One worker of one role."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta

from temporalio.client import Client
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities import step_log
from regreen.roles import Role, task_queue
from workers.registry import WORKFLOWS, activities_of
from workers.step_logging import StepLogging

# Not the workflows' own modules, so that what they must not touch stays restricted.
_PASSED_THROUGH = ("activities", "regreen", "obstore", "packaging", "psutil", "yaml")

# A programming error fails the run with its message. A non-determinism error is not among them: it
# waits for a worker with the right code.
FAILURES = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)

_GRACE = timedelta(seconds=10)
_LOGS_SECONDS = 3.0
_MOST_ACTIVITIES = {"orchestrator": 1, "runner": 4, "healer": 8, "publisher": 8}


def workflow_runner() -> SandboxedWorkflowRunner:
    """The sandbox in which workflows run and are replayed."""
    return SandboxedWorkflowRunner(
        restrictions=SandboxRestrictions.default.with_passthrough_modules(*_PASSED_THROUGH)
    )


def make_worker(client: Client, role: Role) -> Worker:
    """A worker for the role's queue, not yet running."""
    return Worker(
        client,
        task_queue=task_queue(role),
        workflows=WORKFLOWS if role == "orchestrator" else [],
        activities=activities_of(role),
        # Other roles' commands have secrets at hand.
        interceptors=[StepLogging()] if role == "runner" else [],
        workflow_runner=workflow_runner(),
        workflow_failure_exception_types=FAILURES,
        max_concurrent_activities=_MOST_ACTIVITIES[role],
        graceful_shutdown_timeout=_GRACE,
        max_heartbeat_throttle_interval=timedelta(seconds=2),
        sticky_queue_schedule_to_start_timeout=timedelta(milliseconds=500),
    )


@contextlib.asynccontextmanager
async def serving(client: Client, role: Role) -> AsyncIterator[None]:
    """Run the role's worker until the block ends.

    The server knows the worker when the block begins: what is announced from inside it is true, and
    a server that ends later ends no block. Raises RuntimeError when the server does not take it.
    """
    worker = make_worker(client, role)
    async with worker:
        while not worker.is_running:  # noqa: ASYNC110 - it sets no event that could be awaited
            await asyncio.sleep(0.01)
        yield
    await step_log.written(_LOGS_SECONDS)
