"""Reading the raw body of a request, bounded in size, time and memory."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

from fastapi import Request
from starlette.requests import ClientDisconnect

from starters.gateway.refusal import Refused

# For all bodies that are being read: whoever knows no secret can fill that much memory, no more.
_MOST_HELD = 96 << 20
_SECONDS = 10.0


class Bodies:
    """The bodies that one process holds."""

    def __init__(self) -> None:
        self._held = 0

    @contextlib.asynccontextmanager
    async def raw(self, request: Request, largest: int) -> AsyncIterator[bytes]:
        """The body as it was sent, of at most `largest` bytes. Raises Refused."""
        _check_head(request, largest)
        parts: list[bytes] = []
        length = 0
        try:
            try:
                async with asyncio.timeout(_SECONDS):
                    async for chunk in request.stream():
                        length += len(chunk)
                        self._held += len(chunk)
                        if length > largest:
                            raise _too_large(largest)
                        if self._held > _MOST_HELD:
                            raise Refused(503, "busy", "too much is being read; deliver again")
                        parts.append(chunk)
            except TimeoutError as error:
                raise Refused(408, "too-slow", f"no body within {_SECONDS:g} s") from error
            except ClientDisconnect as error:
                raise Refused(400, "disconnected", "the body is not whole") from error
            yield b"".join(parts)
        finally:
            self._held -= length


def document_of(body: bytes) -> dict[str, Any]:
    """The JSON object that a body is. Raises Refused."""
    try:
        document = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise Refused(400, "malformed", "the body is not JSON") from error
    if not isinstance(document, dict):
        raise Refused(400, "malformed", "the body is not an object")
    return document


def _check_head(request: Request, largest: int) -> None:
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Refused(415, "content-encoding", "compressed bodies are not taken")
    declared = request.headers.get("content-length", "0")
    if not (declared.isascii() and declared.isdigit()):
        raise Refused(400, "malformed", "the content length is no number")
    if len(declared) > 15 or int(declared) > largest:
        raise _too_large(largest)


def _too_large(largest: int) -> Refused:
    return Refused(413, "too-large", f"more than {largest} bytes")
