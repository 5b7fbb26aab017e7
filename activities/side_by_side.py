"""Doing several independent pieces of an activity's work at once."""

import asyncio
import os
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

Result = TypeVar("Result")


async def side_by_side(works: Sequence[Coroutine[Any, Any, Result]]) -> list[Result]:
    """Await all works, as many at a time as this process has cores; results in their order.

    All have ended when this returns or raises, since their folders are removed afterwards. Of
    several errors the first work's is raised; a cancellation cancels them all.
    """
    free = asyncio.Semaphore(max(2, len(os.sched_getaffinity(0))))

    async def admitted(work: Coroutine[Any, Any, Result]) -> Result:
        async with free:
            return await work

    try:
        ended = await asyncio.gather(*map(admitted, works), return_exceptions=True)
    finally:
        for work in works:
            # Those that a cancellation kept from starting are still open.
            work.close()
    results = []
    for each in ended:
        if isinstance(each, BaseException):
            raise each
        results.append(each)
    return results
