"""How long the gateway takes until Temporal has a delivery, beside a handler that only verifies.

    python -m benchmarks.gateway [--deliveries N] [--rounds N] [--without-workers] [--json]

Gateway and bare handler are processes of their own. The embedded server has its database file;
the orchestrator and the publisher serve the repositories' workflows meanwhile, as they do in
earnest. Every delivery is another review on one of twenty repositories, which no run waits for.
Connections are kept open, and each sends its next delivery when the last is answered.
"""

import argparse
import asyncio
import contextlib
import hashlib
import hmac
import json
import os
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import psutil

from activities.process import die_with_parent
from regreen.errors import UnreachableError
from workers.development_server import development_server

CONNECTIONS = (1, 8, 16, 32)
_SECRET = "the-secret-of-a-benchmark"
_REPOSITORIES = 20
_COMMIT = "a" * 40
_START_SECONDS = 60.0


def _payload(number: int) -> bytes:
    """A review as large as GitHub's are, without what an answer could depend on."""
    name = f"bench/repository-{number % _REPOSITORIES}"
    repository = {"full_name": name, "clone_url": f"https://github.example/{name}.git"}
    branch = {"ref": "topic", "sha": _COMMIT, "repo": repository}
    payload = {
        "action": "submitted",
        "review": {"id": number, "state": "approved", "body": "", "commit_id": _COMMIT},
        "pull_request": {"number": 1, "head": branch, "base": branch | {"ref": "main"}},
        "repository": repository,
        "sender": {"login": "ada", "type": "User"},
        "padding": "x" * 20_000,
    }
    return json.dumps(payload).encode()


def _request(number: int) -> bytes:
    body = _payload(number)
    digest = hmac.new(_SECRET.encode(), body, hashlib.sha256).hexdigest()
    head = (
        "POST /webhooks/github HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"X-GitHub-Event: pull_request_review\r\nX-GitHub-Delivery: {number}\r\n"
        f"X-Hub-Signature-256: sha256={digest}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _send_all(port: int, requests: Iterator[bytes]) -> list[float]:
    """Seconds of each answer on one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    seconds = []
    for request in requests:
        started = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        seconds.append(time.perf_counter() - started)
        status = head.partition(b"\r\n")[0]
        if b" 202 " not in status:
            raise UnreachableError(f"answered {status.decode()}")
    writer.close()
    return seconds


async def _load(port: int, connections: int, deliveries: int, first: int) -> dict[str, float]:
    requests = iter([_request(first + number) for number in range(deliveries)])
    started = time.perf_counter()
    answers = await asyncio.gather(*(_send_all(port, requests) for _ in range(connections)))
    elapsed = time.perf_counter() - started
    seconds = sorted(second for each in answers for second in each)
    return {
        "p50": 1000 * statistics.median(seconds),
        "p95": 1000 * seconds[int(0.95 * len(seconds))],
        "a_second": deliveries / elapsed,
    }


@contextlib.asynccontextmanager
async def _process(*command: str, **variables: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *die_with_parent(),
        *(sys.executable, "-m", *command),
        env=os.environ | variables,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


async def _ready(port: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not await _is_there(port):
        if time.monotonic() > deadline:
            raise UnreachableError(f"nothing answers on port {port} after {_START_SECONDS:g} s")
        await asyncio.sleep(0.01)


async def _is_there(port: int) -> bool:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    answered = b" 200 " in await reader.readline()
    writer.close()
    return answered


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


async def measure(
    folder: Path, deliveries: int, rounds: int, roles: tuple[str, ...]
) -> dict[str, Any]:
    """Every number of connections, bare and gateway in turn, several times.

    `roles` are those whose workers run meanwhile.
    """
    found: dict[int, dict[str, list[dict[str, float]]]] = {
        each: {"bare": [], "gateway": []} for each in CONNECTIONS
    }
    load = []
    bare_port, port = _free_port(), _free_port()
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(
            development_server(folder / "temporal.db", ui=False)
        )
        own = {
            "TEMPORAL_ADDRESS": server.address,
            "REGREEN_GITHUB_WEBHOOK_SECRETS": _SECRET,
            "REGREEN_STATE": str(folder),
        }
        for role in roles:
            await stack.enter_async_context(_process("regreen", "worker", "--role", role, **own))
        await stack.enter_async_context(
            _process("benchmarks.bare_gateway", str(bare_port), _SECRET)
        )
        await _ready(bare_port)
        command = ("regreen", "gateway", "--port", str(port))
        started = time.perf_counter()
        process = await stack.enter_async_context(_process(*command, **own))
        await _ready(port)
        ready = time.perf_counter() - started
        first = 0
        await _load(port, 1, 2 * _REPOSITORIES, first)
        for number in range(rounds):
            for connections in CONNECTIONS:
                first += 10_000
                load.append(os.getloadavg()[0])
                measured = found[connections]
                measured["bare"].append(await _load(bare_port, connections, deliveries, first))
                measured["gateway"].append(await _load(port, connections, deliveries, first))
                # What is left to do in the workflows must not weigh on the next measurement.
                await asyncio.sleep(2)
            print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
        memory = psutil.Process(process.pid).memory_info().rss / 1e6
    return {
        "ready_seconds": round(ready, 2),
        "memory_mb": round(memory, 1),
        "deliveries": deliveries,
        "rounds": rounds,
        "load_average": [round(min(load), 1), round(max(load), 1)],
        "connections": {each: _summary(found[each]) for each in CONNECTIONS},
    }


def _summary(measured: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for name, each in measured.items():
        told[name] = {
            key: [
                round(kind(one[key] for one in each), 1) for kind in (min, statistics.median, max)
            ]
            for key in ("p50", "p95", "a_second")
        }
    told["ratio"] = {
        key: round(told["gateway"][key][1] / told["bare"][key][1], 1) for key in ("p50", "p95")
    }
    return told


def table(document: dict[str, Any]) -> str:
    """The figures for a person: median of the rounds and their range."""
    lines = [
        f"{document['rounds']} rounds of {document['deliveries']} deliveries; milliseconds, "
        "median of the rounds (range)",
        f"ready after {document['ready_seconds']} s, {document['memory_mb']} MB at the end; load "
        f"average {document['load_average'][0]} to {document['load_average'][1]}",
        "",
        "connections  bare p50  bare p95  gateway p50        gateway p95          a second  ratio",
    ]
    for connections, told in document["connections"].items():
        gateway = [
            f"{told['gateway'][key][1]} ({told['gateway'][key][0]}-{told['gateway'][key][2]})"
            for key in ("p50", "p95")
        ]
        lines.append(
            f"{connections:>11}  {told['bare']['p50'][1]:>8}  {told['bare']['p95'][1]:>8}  "
            f"{gateway[0]:<17}  {gateway[1]:<19}  {told['gateway']['a_second'][1]:>8}  "
            f"x{told['ratio']['p50']} / x{told['ratio']['p95']}"
        )
    return "\n".join(lines)


def main() -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(prog="benchmarks.gateway", description=__doc__.split("\n")[0])
    parser.add_argument("--deliveries", type=int, default=300, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=5, help="rounds (default 5)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument(
        "--without-workers", action="store_true", help="let nobody act on what is delivered"
    )
    chosen = parser.parse_args()
    roles = () if chosen.without_workers else ("orchestrator", "publisher")
    with tempfile.TemporaryDirectory(prefix="regreen-benchmark-") as folder:
        try:
            document = asyncio.run(measure(Path(folder), chosen.deliveries, chosen.rounds, roles))
        except UnreachableError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
    print(json.dumps(document, indent=1) if chosen.json else table(document))
    return 0


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # The SDK can crash the interpreter's regular end.
    os._exit(status)
