"""A release on any server that takes HTTP PUT and serves what it took, such as WebDAV."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import httpx2
from temporalio.exceptions import ApplicationError

from activities.release_target import check_allowed, refused, whole_release
from regreen.contracts.publishing import TargetRequest
from regreen.contracts.receipts import TakenBack
from regreen.settings import Settings

_CHUNK = 1 << 20
_TIMEOUT = httpx2.Timeout(60.0)
_GONE = (404, 410)
# What a server says that never lets a file be deleted. A refused token, 401, can be renewed.
_FOR_GOOD = (403, 405, 501)


class HttpTarget:
    """Files at `URL/OWNER/NAME/VERSION/FILE`, each created with If-None-Match."""

    stages = False

    def __init__(self, request: TargetRequest, settings: Settings) -> None:
        if not request.target.url:
            raise refused("release.targets: a target of kind http needs a `url`")
        base = request.target.url.rstrip("/")
        check_allowed(base, settings)
        self.name = request.target.label
        self.address = f"{base}/{quote(request.repository)}/{quote(request.version)}"
        self.files = whole_release(request)
        secret = settings.http_authorization
        self._headers = {} if secret is None else {"Authorization": secret.get_secret_value()}

    async def look_up(self) -> dict[str, str]:
        there = {}
        async with self._client() as client:
            for name in self.files:
                digest = await self._digest(client, name)
                if digest is not None:
                    there[name] = digest
        return there

    async def write(self, name: str, path: Path) -> None:
        headers = {"If-None-Match": "*", "Content-Length": str(path.stat().st_size)}
        async with self._client() as client:
            # What is taken already answers 412, and the digest of what is there then decides.
            await self._ask(client, "PUT", name, (412,), content=_chunks(path), headers=headers)

    async def check(self, name: str, path: Path) -> None:
        pass

    async def finish(self) -> bool:
        return False

    async def fetch(self, name: str, path: Path) -> None:
        async with self._client() as client:
            try:
                async with client.stream("GET", self._url(name)) as response:
                    if response.status_code != 200:
                        raise _trouble("GET", self._url(name), response.status_code)
                    with path.open("wb") as file:
                        async for chunk in response.aiter_bytes(_CHUNK):
                            file.write(chunk)
            except httpx2.HTTPError as error:
                raise _unreachable(self._url(name), error) from error

    async def discard(self) -> str:
        return "nothing was staged"

    async def withdraw(self) -> TakenBack:
        refusals = set()
        async with self._client() as client:
            for name in await self.look_up():
                status = await self._ask(client, "DELETE", name, (*_GONE, *_FOR_GOOD))
                refusals |= {status} & set(_FOR_GOOD)
        left = tuple(f"{self.address}/{name}" for name in await self.look_up())
        done = f"{len(self.files) - len(left)} files deleted"
        if left and refusals:
            done += f"; DELETE of the others is answered {min(refusals)}"
        return TakenBack(target=self.name, done=done, left=left)

    def _client(self) -> httpx2.AsyncClient:
        # Redirects are not followed: the operator allowed this address and no other.
        return httpx2.AsyncClient(headers=self._headers, timeout=_TIMEOUT)

    def _url(self, name: str) -> str:
        return f"{self.address}/{quote(name)}"

    async def _digest(self, client: httpx2.AsyncClient, name: str) -> str | None:
        hashed = hashlib.sha256()
        try:
            async with client.stream("GET", self._url(name)) as response:
                if response.status_code in _GONE:
                    return None
                if response.status_code != 200:
                    raise _trouble("GET", self._url(name), response.status_code)
                async for chunk in response.aiter_bytes(_CHUNK):
                    hashed.update(chunk)
        except httpx2.HTTPError as error:
            raise _unreachable(self._url(name), error) from error
        return hashed.hexdigest()

    async def _ask(
        self,
        client: httpx2.AsyncClient,
        method: str,
        name: str,
        also: tuple[int, ...],
        *,
        content: AsyncIterator[bytes] | None = None,
        headers: dict[str, str] | None = None,
    ) -> int:
        """The status of the answer, which is a success or one of `also`."""
        try:
            response = await client.request(
                method, self._url(name), content=content, headers=headers
            )
        except httpx2.HTTPError as error:
            raise _unreachable(self._url(name), error) from error
        if not response.is_success and response.status_code not in also:
            raise _trouble(method, self._url(name), response.status_code)
        return response.status_code


def _unreachable(url: str, error: Exception) -> ApplicationError:
    return ApplicationError(f"{url}: {error or type(error).__name__}", type="TargetUnreachable")


def _trouble(method: str, url: str, status: int) -> ApplicationError:
    return ApplicationError(f"{method} {url} answered {status}", type="TargetUnreachable")


async def _chunks(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while chunk := await asyncio.to_thread(file.read, _CHUNK):
            yield chunk
