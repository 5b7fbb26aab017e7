"""The long-running commands: the whole stack in the foreground, or one worker."""

import asyncio
import logging
import signal
import sys

from regreen.errors import EXIT_OK, UsageError
from regreen.roles import ROLES
from regreen.settings import Settings
from starters.console import errors
from workers import payload_codec
from workers.embedded import temporal
from workers.role_process import serve


async def up(settings: Settings) -> int:
    """Host the embedded server and all roles until SIGINT or SIGTERM.

    A server that ends by itself is started again.
    """
    _tell_of_missing_keys()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    stopped = asyncio.create_task(stop.wait())
    while not stop.is_set():
        async with temporal(settings) as connection:
            if connection.server is None:
                raise UsageError(
                    "a server is running or configured already; `regreen list` shows its runs"
                )
            errors.print(f"web UI: {connection.ui}", highlight=False)
            errors.print(f"state:  {settings.state}", highlight=False, soft_wrap=True)
            errors.print("Ctrl-C ends it; unfinished runs go on next time", highlight=False)
            ended = asyncio.create_task(connection.server.process.wait())
            await asyncio.wait([stopped, ended], return_when=asyncio.FIRST_COMPLETED)
            ended.cancel()
            if not stop.is_set():
                errors.print("the server ended; starting it again, runs go on", style="yellow")
    return EXIT_OK


async def worker(role: str, address: str | None) -> int:
    """Serve one role. Raises UsageError for a role that does not exist."""
    for known in ROLES:
        if known == role:
            _tell_of_missing_keys()
            await serve(known, address)
            return EXIT_OK
    raise UsageError(f"unknown role `{role}`; roles: {', '.join(ROLES)}")


def _tell_of_missing_keys() -> None:
    """Say it where the process was started, too: Temporal only tries again and again."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("error: %(message)s"))
    payload_codec.logger.addHandler(handler)
