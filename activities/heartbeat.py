"""Heartbeats while an activity waits for something that sends none itself."""

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

from temporalio import activity

_SECONDS = 1.0

Result = TypeVar("Result")


async def heartbeating(
    work: Coroutine[Any, Any, Result], subject: str, details: Mapping[str, Any] | None = None
) -> Result:
    """Await `work`, with a heartbeat that names `subject` every second while in an activity.

    `details` are sent with it as they are at that moment. A cancelled activity cancels `work` and
    waits for its end.
    """
    task = asyncio.ensure_future(work)
    try:
        await _ended(task, subject, details)
        return task.result()
    finally:
        if not task.done():
            task.cancel()
            await _ended(task, subject, details)


async def _ended(
    task: asyncio.Future[Any], subject: str, details: Mapping[str, Any] | None
) -> None:
    while not task.done():
        if activity.in_activity():
            activity.heartbeat({"subject": subject, **(details or {})})
        await asyncio.wait({task}, timeout=_SECONDS)
