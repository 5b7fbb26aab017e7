"""HTTP responses of which no more is read than a limit, whatever their sender says or sends."""

from collections.abc import AsyncIterator

import httpx2


class BoundedResponses:
    """A response hook for an httpx2 client. A longer body ends at the limit, as sent.

    Ask for `Accept-Encoding: identity`: of an encoded body nothing is read, since a few bytes of it
    can stand for any number.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self.cut = ""
        """Why a body was not read to its end; empty when it was."""

    async def __call__(self, response: httpx2.Response) -> None:
        """Put the limit on a response whose body has not been read yet."""
        encoding = response.headers.get("content-encoding", "identity")
        limit, why = self._most_bytes, f"longer than {self._most_bytes:,} bytes"
        if encoding != "identity":
            limit, why = 0, f"packed ({encoding[:20]!r}), which was not asked for"
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        response.stream = _Bounded(response.stream, limit, why, self)


class _Bounded(httpx2.AsyncByteStream):
    def __init__(
        self, stream: httpx2.AsyncByteStream, limit: int, why: str, responses: BoundedResponses
    ) -> None:
        self._stream = stream
        self._left = limit
        self._why = why
        self._responses = responses

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            if len(chunk) > self._left:
                self._responses.cut = self._why
                yield chunk[: self._left]
                return
            self._left -= len(chunk)
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()
