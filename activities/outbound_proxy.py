"""The way out of a sandbox that may use the network: a proxy for HTTP that keeps this machine out.

A build with the machine's own network could reach whatever listens on its loopback: Temporal's
server, which has no login and would take an approval or a task for the publisher from anyone, or a
vault. So it gets a network of its own, and this proxy, over a Unix socket. The proxy connects to no
address of this machine and not to the worker's own Temporal server, except to the package index and
proxy that the operator named.
"""

import asyncio
import base64
import contextlib
import ipaddress
import os
import socket
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from temporalio.envconfig import ClientConfigProfile

from regreen.inherited_variables import INDEX_VARIABLES

_CHUNK = 1 << 16
_HEAD_BYTES = 1 << 16
_CONNECT_SECONDS = 60.0
_PORTS = {"http": 80, "https": 443}
# They are about the connection to the proxy, and not for what is behind it.
_OF_THE_PROXY = ("connection", "keep-alive", "proxy-authorization", "proxy-connection")

_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
_Place = tuple[str, int]
_NOWHERE: _Place = ("", 0)


class _Refused(Exception):
    """What is not let out, and why, in one line; with the status that says so."""

    def __init__(self, status: str, why: str) -> None:
        super().__init__(why)
        self.status = status


@dataclass(frozen=True)
class _Request:
    """The head of a request to a proxy."""

    method: str
    target: SplitResult
    version: str
    headers: tuple[str, ...]

    @property
    def host(self) -> str:
        return self.target.hostname or ""

    @property
    def port(self) -> int:
        return self.target.port or _PORTS.get(self.target.scheme, 0)


@contextlib.asynccontextmanager
async def outbound_proxy(place: Path, only_service: str = "") -> AsyncIterator[None]:
    """Serve the proxy on a new Unix socket at `place`, for as long as the context lasts.

    Which index and which proxy of the operator's it may use is read from the environment. With the
    address of one service it leads to that, on this machine or not, and to nothing else.
    """
    only = (_place(only_service) or _NOWHERE) if only_service else None
    open_connections: set[asyncio.Task[None]] = set()

    def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(_served(reader, writer, only))
        open_connections.add(task)
        task.add_done_callback(open_connections.discard)

    # The path of a socket may have 107 bytes, that of a temporary folder more.
    folder = os.open(place.parent, os.O_RDONLY)
    try:
        near = f"/proc/self/fd/{folder}/{place.name}"
        server = await asyncio.start_unix_server(serve, near, limit=_HEAD_BYTES)
    finally:
        os.close(folder)
    try:
        yield
    finally:
        server.close()
        for task in open_connections:
            task.cancel()
        await asyncio.gather(*open_connections, return_exceptions=True)


async def _served(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, only: _Place | None
) -> None:
    opened: list[asyncio.StreamWriter] = [writer]
    try:
        request = await _head(reader)
        outer = await _outside(request, only)
        opened.append(outer[1])
        if request.method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(_pump(reader, outer[1]), _pump(outer[0], writer))
    except _Refused as refusal:
        said = f"{refusal}\n"
        writer.write(
            f"HTTP/1.1 {refusal.status}\r\nContent-Type: text/plain\r\n"
            f"Content-Length: {len(said.encode())}\r\nConnection: close\r\n\r\n{said}".encode()
        )
        with contextlib.suppress(OSError):
            await writer.drain()
    except (OSError, EOFError):
        # One of the two has gone; the other one is told by the end of its connection.
        pass
    finally:
        for each in opened:
            each.close()


async def _head(reader: asyncio.StreamReader) -> _Request:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.LimitOverrunError:
        raise _Refused("431 Request Header Fields Too Large", "the request is too long") from None
    first, *headers = head.removesuffix("\r\n\r\n").split("\r\n")
    try:
        method, target, version = first.split(" ")
        parts = urlsplit(f"//{target}" if method == "CONNECT" else target)
        request = _Request(method, parts, version, tuple(headers))
        known = bool(request.host and request.port)
    except ValueError:
        known = False
    if not known or (method != "CONNECT" and parts.scheme != "http"):
        raise _Refused("400 Bad Request", "this is a proxy for HTTP, and that no request to one")
    return request


async def _outside(request: _Request, only: _Place | None) -> _Streams:
    """A connection on which what is asked has been asked."""
    asked = (request.host, request.port)
    if only is not None and asked != only:
        raise _Refused(
            "403 Forbidden", f"{request.host}:{request.port} is not the service that is to be asked"
        )
    own = asked == only or asked in _indexes()
    addresses = await _addresses(request.host, request.port)
    for closed, what in (
        (any(map(_of_this_machine, addresses)), "on this machine"),
        (await _leads_to_temporal(request, addresses), "Temporal's server"),
    ):
        if closed and not own:
            why = f"{request.host}:{request.port} is {what}, which a build may not reach"
            raise _Refused("403 Forbidden", why)
    scheme = "https" if request.method == "CONNECT" else "http"
    proxies = getproxies()
    upstream = proxies.get(scheme) or proxies.get("all")
    if upstream and not proxy_bypass(f"{request.host}:{request.port}", proxies):
        return await _through(upstream, request)
    streams = await _connected(addresses, request.port)
    if request.method != "CONNECT":
        path = request.target._replace(scheme="", netloc="", fragment="").geturl() or "/"
        streams[1].write(_forwarded(request, path))
    return streams


async def _through(upstream: str, request: _Request) -> _Streams:
    """The same by way of the operator's own proxy, whose password the build does not see."""
    parts = urlsplit(upstream if "://" in upstream else f"http://{upstream}")
    if parts.scheme not in _PORTS or not parts.hostname:
        raise _Refused("501 Not Implemented", f"a proxy of kind {parts.scheme} is not supported")
    reader, writer = await asyncio.wait_for(
        asyncio.open_connection(
            parts.hostname,
            parts.port or _PORTS[parts.scheme],
            ssl=parts.scheme == "https" or None,
            limit=_HEAD_BYTES,
        ),
        _CONNECT_SECONDS,
    )
    known = ""
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        known = f"Proxy-Authorization: Basic {base64.b64encode(pair.encode()).decode()}\r\n"
    if request.method != "CONNECT":
        writer.write(_forwarded(request, request.target.geturl(), known))
        return reader, writer
    place = request.target.netloc
    writer.write(f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n{known}\r\n".encode("latin-1"))
    answer = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")[0]
    if answer.split(" ")[1:2] != ["200"]:
        writer.close()
        raise _Refused("502 Bad Gateway", f"the proxy answered {answer[:200]}")
    return reader, writer


async def _addresses(host: str, port: int) -> list[str]:
    """What the name stands for; nothing when only a proxy further out knows it."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return [_plain(str(address[0])) for *_, address in found]


async def _connected(addresses: Sequence[str], port: int) -> _Streams:
    problem: Exception = OSError("the name is not known")
    for address in addresses:
        try:
            return await asyncio.wait_for(
                asyncio.open_connection(address, port, limit=_HEAD_BYTES), _CONNECT_SECONDS
            )
        except OSError as error:
            problem = error
    raise _Refused("502 Bad Gateway", f"no connection: {problem}")


async def _leads_to_temporal(request: _Request, addresses: Sequence[str]) -> bool:
    """Whether it is the server that this worker is configured for, wherever that is."""
    host, _, port = (ClientConfigProfile.load().address or "").rpartition(":")
    if not host or port != str(request.port):
        return False
    return host == request.host or not set(addresses).isdisjoint(
        await _addresses(host, request.port)
    )


def _plain(text: str) -> str:
    """An address without its interface, and one of IPv4 as that."""
    address = ipaddress.ip_address(text.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def _of_this_machine(text: str) -> bool:
    """Whether an address leads to this machine, or to what only this machine can reach."""
    address = ipaddress.ip_address(text)
    if address.is_loopback or address.is_unspecified or address.is_link_local:
        return True
    kind = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    # What can be bound is an address of one of its interfaces.
    with socket.socket(kind, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((text, 0))
        except OSError:
            return False
    return True


def _indexes() -> set[_Place]:
    """Host and port of the package indexes that the operator chose."""
    found = set()
    for name in INDEX_VARIABLES:
        for word in os.environ.get(name, "").split():
            # uv takes NAME=URL, too.
            place = _place(word[word.find("http") :])
            if place is not None:
                found.add(place)
    return found


def _place(url: str) -> _Place | None:
    """Host and port of an address of HTTP or HTTPS."""
    parts = urlsplit(url)
    with contextlib.suppress(ValueError):
        if parts.hostname and parts.scheme in _PORTS:
            return parts.hostname, parts.port or _PORTS[parts.scheme]
    return None


def _forwarded(request: _Request, target: str, known: str = "") -> bytes:
    kept = [
        header
        for header in request.headers
        if header.partition(":")[0].strip().lower() not in _OF_THE_PROXY
    ]
    # A second request on this connection could be for another place.
    lines = [f"{request.method} {target} {request.version}", *kept, "Connection: close"]
    return ("\r\n".join(lines) + f"\r\n{known}\r\n").encode("latin-1")


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError):
        if writer.can_write_eof():
            writer.write_eof()
