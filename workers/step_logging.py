"""Keeping a log of every activity that a worker runs."""

from typing import Any

from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
)

from activities.step_log import kept


class StepLogging(Interceptor):
    """Keeps the output of activities' commands in the artifact store while they run."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Wrap the next interceptor."""
        return _StepLogging(next)


class _StepLogging(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        with kept():
            return await super().execute_activity(input)
