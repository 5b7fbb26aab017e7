"""Gateway processes on a real server: what they accept is durable, and acted on once."""

import asyncio
import hashlib
import hmac
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from temporalio.client import Client

from regreen.contracts.repository import FoundRun, Handled, Selected
from tests.e2e.regreen_program import PROJECT, kill_tree
from tests.free_ports import free_ports
from tests.unit.webhooks.examples import official
from tests.workflow.repository_fakes import Forge, serving_repositories
from workers.connection import connect
from workers.development_server import development_server

pytestmark = pytest.mark.timeout(120)

_SECRET = "an-integration-secret"
_REPOSITORY = "Codertocat/Hello-World"
_WORKFLOW = f"repository/github/{_REPOSITORY}"
_PUSH = official("push", ref="refs/heads/master")
_COMMIT = _PUSH["head_commit"]["id"]
_REVIEW = official("pull_request_review", action="submitted")
_REVIEW["review"]["state"] = "approved"


@dataclass(frozen=True)
class Gateway:
    """A gateway process."""

    address: str
    process: subprocess.Popen[bytes]
    log: Path


@contextmanager
def _gateway(state: Path, *arguments: str, **variables: str) -> Iterator[Gateway]:
    (port,) = free_ports(1)
    kept = {key: value for key, value in os.environ.items()
            if not key.startswith(("TEMPORAL_", "REGREEN_"))}  # fmt: skip
    log = state / f"gateway-{port}.log"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "regreen", "gateway", "--port", str(port),
             "--state", str(state), *arguments],
            cwd=PROJECT,
            env=kept | {"REGREEN_GITHUB_WEBHOOK_SECRETS": _SECRET} | variables,
            stdout=sink,
            stderr=sink,
        )  # fmt: skip
    try:
        yield Gateway(f"http://127.0.0.1:{port}", process, log)
    finally:
        kill_tree(process.pid)
        process.wait(30)


async def _answers(client: httpx2.AsyncClient, gateway: Gateway, path: str, status: int) -> None:
    while True:
        try:
            if (await client.get(f"{gateway.address}{path}")).status_code == status:
                return
        except httpx2.TransportError:
            assert gateway.process.poll() is None, gateway.log.read_text("utf-8")
        await asyncio.sleep(0.05)


@asynccontextmanager
async def _server(state: Path) -> AsyncIterator[Client]:
    """The embedded server, announced as its host announces it."""
    async with development_server(state / "temporal.db", ui=False) as server:
        (state / "server.json").write_text(json.dumps({"address": server.address, "ui": None}))
        yield await connect("test", server.address)


async def _send(
    client: httpx2.AsyncClient, gateway: Gateway, event: str, payload: Any
) -> httpx2.Response:
    body = json.dumps(payload).encode()
    digest = hmac.new(_SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": "72d3162e",
        "X-Hub-Signature-256": f"sha256={digest}",
    }
    return await client.post(f"{gateway.address}/webhooks/github", content=body, headers=headers)


async def _acted_on(client: Client, count: int) -> list[Handled]:
    handle = client.get_workflow_handle(_WORKFLOW)
    while len(done := await handle.query("recent", result_type=list[Handled])) < count:
        await asyncio.sleep(0.02)
    return done


async def _signals(client: Client) -> int:
    history = await client.get_workflow_handle(_WORKFLOW).fetch_history()
    return sum(
        event.HasField("workflow_execution_signaled_event_attributes") for event in history.events
    )


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(timeout=15) as made:
        yield made


async def test_fifty_deliveries_to_two_gateways_are_one(
    tmp_path: Path, http: httpx2.AsyncClient
) -> None:
    forge = Forge()
    async with _server(tmp_path) as client, serving_repositories(client, forge):
        with _gateway(tmp_path) as one, _gateway(tmp_path) as two:
            for each in (one, two):
                await _answers(http, each, "/readyz", 200)

            pushes = [_send(http, (one, two)[n % 2], "push", _PUSH) for n in range(50)]
            statuses = {answer.status_code for answer in await asyncio.gather(*pushes)}
            assert statuses == {202}
            (started,) = await _acted_on(client, 1)
            assert started.outcome == f"started pipeline/{_REPOSITORY}/{_COMMIT}"
            assert await _signals(client) == 1

            run = client.get_workflow_handle(f"pipeline/{_REPOSITORY}/{_COMMIT}")
            forge.runs = (
                FoundRun(workflow_id=run.id, ref="master", commit=_COMMIT, state="waiting",
                         ended=False),
            )  # fmt: skip
            # One of the gateways is killed in the midst of it.
            reviews = [
                asyncio.create_task(_send(http, (one, two)[n % 2], "pull_request_review", _REVIEW))
                for n in range(50)
            ]
            await reviews[0]
            one.process.kill()
            answers = await asyncio.gather(*reviews, return_exceptions=True)
            taken = [each for each in answers if isinstance(each, httpx2.Response)]
            assert len(taken) >= 25
            assert {answer.status_code for answer in taken} == {202}
            identity = f"review/{_REVIEW['review']['id']}"
            while not (told := await run.query("told", result_type=list[str])):
                await asyncio.sleep(0.02)
            await _acted_on(client, 2)
            assert told == [f"approve by Codertocat {identity}"]
            assert await run.query("told", result_type=list[str]) == told
            assert await _signals(client) == 2


async def test_while_temporal_is_stopped_a_delivery_is_to_be_sent_again(
    tmp_path: Path, http: httpx2.AsyncClient
) -> None:
    with _gateway(tmp_path) as gateway:
        async with _server(tmp_path) as client:
            await _answers(http, gateway, "/readyz", 200)
            assert (await _send(http, gateway, "push", _PUSH)).status_code == 202

        await _answers(http, gateway, "/readyz", 503)
        refused = await _send(http, gateway, "pull_request_review", _REVIEW)
        assert refused.status_code == 503
        assert refused.headers["Retry-After"] == "10"
        assert (await http.get(f"{gateway.address}/healthz")).status_code == 200

        forge = Forge()
        forge.selected = Selected(refused="not today")
        async with _server(tmp_path) as client, serving_repositories(client, forge):
            await _answers(http, gateway, "/readyz", 200)
            again = await _send(http, gateway, "pull_request_review", _REVIEW)
            assert again.status_code == 202
            # What was accepted before the outage has not been lost either.
            done = await _acted_on(client, 2)

    assert {each.outcome for each in done} == {"starts nothing: not today", "no run has #2"}


async def test_it_ends_well_on_a_signal_and_logs_lines_of_json(
    tmp_path: Path, http: httpx2.AsyncClient
) -> None:
    with _gateway(tmp_path) as gateway:
        await _answers(http, gateway, "/healthz", 200)
        await http.post(f"{gateway.address}/webhooks/github", content=b"{}")
        gateway.process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(gateway.process.wait, 20) == 0

    lines = [json.loads(line) for line in gateway.log.read_text("utf-8").splitlines()]
    assert [line["event"] for line in lines] == ["starting", "refused"]
    assert _SECRET not in gateway.log.read_text("utf-8")


def test_a_port_that_is_taken_is_told_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        ended = subprocess.run(
            [sys.executable, "-m", "regreen", "gateway", "--insecure-local", "--port", port],
            cwd=PROJECT,
            env=os.environ | {"REGREEN_STATE": str(tmp_path)},
            capture_output=True,
            timeout=60,
            check=False,
        )

    assert ended.returncode == 2
    assert b"cannot listen on 127.0.0.1" in ended.stderr
