"""Several things at once in a workflow, with a cancellation that leaves none of them behind."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import TypeVar

from temporalio import workflow

Result = TypeVar("Result")


async def side_by_side(work: Sequence[Awaitable[Result]]) -> list[Result]:
    """Await all at once; a cancellation is passed on when all of them have ended."""
    tasks = [asyncio.ensure_future(each) for each in work]
    if not tasks:
        return []
    try:
        done, _ = await workflow.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
        return [task.result() for task in tasks]
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
