"""Everything in one process tree: the development server and all four roles.

One process at a time hosts a state folder. Others connect to its server, and one of them takes
over when it ends; runs go on where they were.
"""

import asyncio
import contextlib
import fcntl
import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from temporalio.client import Client
from temporalio.service import RPCError

from activities.workspace import sweep
from regreen.errors import UnreachableError
from regreen.settings import Settings
from workers import codec_server
from workers.connection import configured_address, connect
from workers.development_server import DevelopmentServer, development_server
from workers.orphans import retry_orphans
from workers.payload_codec import EncryptionCodec, payload_keys
from workers.role_process import role_process
from workers.worker import serving

_ATTACH_SECONDS = 60.0


@dataclass(frozen=True)
class Connection:
    """A client, and what is known about the server."""

    client: Client
    ui: str | None
    """Where the namespace's pages begin in the web UI."""
    server: DevelopmentServer | None
    """The server that this process runs, with all workers; None when it only connects."""

    @property
    def hosting(self) -> bool:
        """Whether this process runs the server and the workers."""
        return self.server is not None


@contextlib.asynccontextmanager
async def temporal(settings: Settings, *, ui: bool = True) -> AsyncIterator[Connection]:
    """Connect to the configured server; without one, host or join the embedded one.

    Raises UnreachableError when neither can be had, and UsageError for payload keys that are none.
    """
    payload_keys(settings)
    if configured_address() is not None:
        client = await connect("starter")
        yield Connection(client, _pages(settings.ui, client), None)
        return
    state = settings.state.resolve()
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    deadline = asyncio.get_running_loop().time() + _ATTACH_SECONDS
    while True:
        lock = _try_lock(state / "server.lock")
        if lock is not None:
            with lock:
                async with _host(state, settings, ui) as connection:
                    yield connection
            return
        joined = await _join(state)
        if joined is not None:
            yield joined
            return
        if asyncio.get_running_loop().time() > deadline:
            raise UnreachableError(f"another process holds {state} but its server does not answer")
        await asyncio.sleep(0.2)


@contextlib.asynccontextmanager
async def _host(state: Path, settings: Settings, ui: bool) -> AsyncIterator[Connection]:
    sweep()
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(_server(state, settings, ui))
        starter = await connect("starter", server.address)
        # Whatever an earlier host was doing died with it.
        with contextlib.suppress(RPCError):
            await retry_orphans(starter)
        # The runner executes foreign code, so it is a process of its own that never saw a secret.
        await stack.enter_async_context(role_process("runner", starter, settings))
        for role in ("publisher", "healer", "orchestrator"):
            client = await connect(role, server.address)
            try:
                await stack.enter_async_context(serving(client, role))
            except RuntimeError as error:
                raise UnreachableError("the embedded server ended while it was starting") from error
        _announce(state, server)
        yield Connection(starter, _pages(server.ui, starter), server)


@contextlib.asynccontextmanager
async def _server(state: Path, settings: Settings, ui: bool) -> AsyncIterator[DevelopmentServer]:
    database = state / "temporal.db"
    # Its web UI has no login, so that it could not send a token.
    if not ui or settings.payload_keys is None or settings.codec_token is not None:
        async with development_server(database, ui=ui) as server:
            yield server
        return
    with codec_server.bound("127.0.0.1", 0) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with development_server(database, ui=True, codec=address) as server:
            application = codec_server.codec_application(
                EncryptionCodec(payload_keys(settings)), origins=[str(server.ui)]
            )
            async with codec_server.serving(application, listener):
                yield server


async def _join(state: Path) -> Connection | None:
    try:
        known = json.loads((state / "server.json").read_text("utf-8"))
        client = await connect("starter", str(known["address"]))
        await client.count_workflows()
    except (OSError, ValueError, KeyError, UnreachableError, RuntimeError):
        return None
    return Connection(client, _pages(known["ui"], client), None)


def _pages(ui: str | None, client: Client) -> str | None:
    return None if ui is None else f"{ui.rstrip('/')}/namespaces/{client.namespace}"


def _announce(state: Path, server: DevelopmentServer) -> None:
    text = json.dumps({"address": server.address, "ui": server.ui, "host_process": os.getpid()})
    partial = state / "server.json.partial"
    partial.write_text(text, "utf-8")
    partial.replace(state / "server.json")


def _try_lock(path: Path) -> IO[str] | None:
    file = path.open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file
