"""Requests to other machines, which go on there when they are given up here."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


async def to_its_end(request: Coroutine[Any, Any, Result]) -> Result:
    """Await a request; a cancellation is raised only when the request has ended.

    One that is under way still arrives, and would after what comes next, such as taking it back.
    """
    asked = asyncio.ensure_future(request)
    try:
        return await asyncio.shield(asked)
    except asyncio.CancelledError:
        await asyncio.wait({asked})
        raise
