"""One process at a time on this machine, waiting without blocking the event loop."""

import asyncio
import contextlib
import fcntl
from collections.abc import AsyncIterator
from pathlib import Path

from temporalio import activity

_POLL_SECONDS = 0.1


@contextlib.asynccontextmanager
async def file_lock(path: Path, subject: str) -> AsyncIterator[None]:
    """Hold an exclusive lock on a file; the kernel releases it when the holder dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if activity.in_activity():
                    activity.heartbeat({"subject": subject, "line": "waiting for another worker"})
                await asyncio.sleep(_POLL_SECONDS)
        yield
