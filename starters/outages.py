"""Working with Temporal through the outages of its server and of the network."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from temporalio.service import RPCError

from regreen.errors import UnreachableError
from regreen.settings import Settings
from starters.console import note
from starters.runs import LOST, ConnectionLost
from workers.embedded import Connection, temporal

_PATIENCE = 600.0
_SETTLED = 10.0
_BETWEEN = 2.0

Result = TypeVar("Result")


async def through_outages(
    settings: Settings, work: Callable[[Connection], Awaitable[Result]]
) -> Result:
    """Do `work` with a connection; when the server goes away, do it again with a new one.

    `work` has to find what it did before. A server that never answered is an UnreachableError at
    once; one that went away is waited for ten minutes before it is one.
    """
    loop = asyncio.get_running_loop()
    lost: float | None = None
    while True:
        worked = 0.0
        try:
            async with temporal(settings) as connection:
                if lost is not None:
                    note("the server answers again")
                began = loop.time()
                try:
                    return await work(connection)
                except RPCError as error:
                    if error.status in LOST:
                        raise ConnectionLost(
                            "the server went away; run the command again"
                        ) from error
                    raise
                finally:
                    worked = loop.time() - began
        except UnreachableError as error:
            settled = worked > _SETTLED
            if lost is None and not settled and not isinstance(error, ConnectionLost):
                raise
            if lost is None or settled:
                lost = loop.time()
                note("the server went away; connecting again, the run goes on")
            elif loop.time() - lost > _PATIENCE:
                raise
            await asyncio.sleep(_BETWEEN)
