"""The proxy by which a build gets out of its sandbox: what it passes on, and what it refuses."""

import asyncio
import base64
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from activities.outbound_proxy import outbound_proxy
from regreen.inherited_variables import NETWORK_VARIABLES


@pytest.fixture(autouse=True)
def _nothing_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NETWORK_VARIABLES:
        monkeypatch.delenv(name, raising=False)


@asynccontextmanager
async def _server(answer: bytes) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server on loopback that says the same to everybody; its port, and the heads it was sent."""
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], heads


async def _asked(folder: Path, sent: bytes, then: bytes = b"", *, only_service: str = "") -> str:
    """All that the proxy answers to a request, and to what follows when it has connected."""
    async with outbound_proxy(folder / "proxy", only_service):
        reader, writer = await asyncio.open_unix_connection(folder / "proxy")
        writer.write(sent)
        if then:
            assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
            writer.write(then)
        answer = await asyncio.wait_for(reader.read(), 30)
        writer.close()
    return answer.decode()


def _addresses() -> list[str]:
    names = ["localhost", "127.0.0.1", "127.1.2.3", "0.0.0.0", "2130706433", "127.1"]
    names += ["[::1]", "[::ffff:127.0.0.1]", "[::]", "169.254.169.254"]
    # Its address on the way out, which is no loopback, and still this machine.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            names.append(probe.getsockname()[0])
        except OSError:
            pass
    return names


@pytest.mark.parametrize("name", _addresses())
@pytest.mark.parametrize("request_line", ["CONNECT {}:{} HTTP/1.1", "GET http://{}:{}/x HTTP/1.1"])
async def test_nothing_of_this_machine_is_reached(
    name: str, request_line: str, tmp_path: Path
) -> None:
    async with _server(b"a secret") as (port, heads):
        said = await _asked(tmp_path, f"{request_line.format(name, port)}\r\n\r\n".encode())
    assert heads == []
    assert said.startswith("HTTP/1.1 403 Forbidden\r\n"), said
    assert said.endswith(f":{port} is on this machine, which a build may not reach\n")


async def test_who_asks_one_service_reaches_that_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nit"
    async with _server(found) as (port, heads), _server(b"an index") as (other, unasked):
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{other}/simple")
        service, request = f"http://127.0.0.1:{port}/osv", "GET http://127.0.0.1:{}/v1 HTTP/1.1"
        said = await _asked(
            tmp_path, f"{request.format(port)}\r\n\r\n".encode(), only_service=service
        )
        (tmp_path / "proxy").unlink(missing_ok=True)
        refused = await _asked(
            tmp_path, f"{request.format(other)}\r\n\r\n".encode(), only_service=service
        )

    assert (said, len(heads)) == (found.decode(), 1)
    assert refused.endswith(f"127.0.0.1:{other} is not the service that is to be asked\n")
    assert unasked == []


@pytest.mark.parametrize(
    ("configured", "name"),
    [
        ("192.0.2.7:7233", "192.0.2.7:7233"),
        ("192.0.2.7:7233", "[::ffff:192.0.2.7]:7233"),
        ("temporal.invalid:7233", "temporal.invalid:7233"),
    ],
)
async def test_the_workers_own_temporal_server_is_not_reached_wherever_it_is(
    configured: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", configured)
    said = await _asked(tmp_path, f"CONNECT {name} HTTP/1.1\r\n\r\n".encode())
    assert said.endswith(":7233 is Temporal's server, which a build may not reach\n")


@pytest.mark.parametrize("configured", ["{}", "https://pypi.org/simple own={}"])
async def test_the_index_that_the_operator_named_is_reached_wherever_it_is(
    configured: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with _server(b"HTTP/1.1 200 OK\r\n\r\npackages") as (port, heads):
        index = f"http://127.0.0.1:{port}"
        monkeypatch.setenv("UV_INDEX", configured.format(f"{index}/simple"))
        asked = (
            f"GET {index}/simple/tea/?a=b HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
            "Proxy-Connection: keep-alive\r\nAccept: text/html\r\n\r\n"
        )
        assert await _asked(tmp_path, asked.encode()) == "HTTP/1.1 200 OK\r\n\r\npackages"
        through = f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\n".encode()
        said = await _asked(tmp_path, through, b"GET / HTTP/1.1\r\n\r\n")
        assert said == "HTTP/1.1 200 OK\r\n\r\npackages"
    assert heads[0].decode() == (
        f"GET /simple/tea/?a=b HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        "Accept: text/html\r\nConnection: close\r\n\r\n"
    )
    assert heads[1] == b"GET / HTTP/1.1\r\n\r\n"


async def test_the_operators_proxy_is_used_with_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with _server(b"HTTP/1.1 200 Connection established\r\n\r\nhello") as (port, heads):
        monkeypatch.setenv("HTTPS_PROXY", f"http://ada:s%40fe@127.0.0.1:{port}")
        monkeypatch.setenv("http_proxy", f"127.0.0.1:{port}")
        opened = await _asked(tmp_path, b"CONNECT tea.invalid:443 HTTP/1.1\r\n\r\n", b" ")
        plain = await _asked(tmp_path, b"GET http://tea.invalid/x HTTP/1.0\r\n\r\n")
        kept_out = await _asked(tmp_path, b"CONNECT localhost:7233 HTTP/1.1\r\n\r\n")
    assert opened == "hello"
    assert plain.endswith("hello")
    known = base64.b64encode(b"ada:s@fe").decode()
    assert heads[0].decode() == (
        "CONNECT tea.invalid:443 HTTP/1.1\r\nHost: tea.invalid:443\r\n"
        f"Proxy-Authorization: Basic {known}\r\n\r\n"
    )
    assert heads[1] == b"GET http://tea.invalid/x HTTP/1.0\r\nConnection: close\r\n\r\n"
    assert len(heads) == 2
    assert " 403 " in kept_out


@pytest.mark.parametrize(
    ("proxy", "said"),
    [
        ("socks5://127.0.0.1:9", "a proxy of kind socks5 is not supported"),
        ("http://127.0.0.1:{}", "the proxy answered HTTP/1.1 407 Who are you"),
    ],
)
async def test_a_proxy_that_does_not_help_is_said(
    proxy: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with _server(b"HTTP/1.1 407 Who are you\r\n\r\n") as (port, _):
        monkeypatch.setenv("HTTPS_PROXY", proxy.format(port))
        assert said in await _asked(tmp_path, b"CONNECT tea.invalid:443 HTTP/1.1\r\n\r\n")


@pytest.mark.parametrize(
    "sent",
    [
        b"\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"GET /x HTTP/1.1\r\n\r\n",
        b"GET https://tea.invalid/ HTTP/1.1\r\n\r\n",
        b"GET ftp://tea.invalid/ HTTP/1.1\r\n\r\n",
        b"CONNECT tea.invalid HTTP/1.1\r\n\r\n",
        b"CONNECT tea.invalid:99999 HTTP/1.1\r\n\r\n",
        b"\xff\xfe \x00 \x01\r\n\r\n",
        b"X" * 200_000,
    ],
)
async def test_what_is_no_request_is_refused(sent: bytes, tmp_path: Path) -> None:
    assert (await _asked(tmp_path, sent))[:12] in ("HTTP/1.1 400", "HTTP/1.1 431")


async def test_a_name_that_nobody_knows_is_said(tmp_path: Path) -> None:
    said = await _asked(tmp_path, b"CONNECT tea.invalid:443 HTTP/1.1\r\n\r\n")
    assert said.endswith("no connection: the name is not known\n")
