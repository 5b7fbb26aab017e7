"""The gateway's answers: what is taken, what is refused and why, what is told of it."""

import asyncio
import gzip
import json
import logging
from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx2
import pytest

from regreen.contracts.forge_event import ForgeEvent, Provider
from regreen.errors import UsageError
from regreen.settings import Settings, load_settings
from starters.gateway import body as bodies
from starters.gateway.application import application
from starters.gateway.handover import NotTaken
from starters.gateway.logs import JsonLines
from starters.gateway.providers import webhook_secrets
from starters.gateway.schedules import reconciled_repositories
from starters.gateway.serve import gateway
from tests.unit.webhooks.examples import EXAMPLES, Example, official
from tests.unit.webhooks.signing import NOW, SECRETS, signed_headers

_ALL = [
    pytest.param(provider, example, id=f"{provider}: {example.event} {example.name}")
    for provider, examples in EXAMPLES.items()
    for example in examples
]
_PUSH = official("push", ref="refs/heads/master")


class Taken:
    """What was handed over, in place of Temporal."""

    def __init__(self) -> None:
        self.events: list[ForgeEvent] = []
        self.error: Exception | None = None
        self.ready = True

    async def hand_over(self, events: Sequence[ForgeEvent]) -> None:
        if self.error is not None:
            raise self.error
        self.events += events

    async def is_ready(self) -> bool:
        return self.ready


@pytest.fixture
def taken() -> Taken:
    return Taken()


@pytest.fixture
async def client(taken: Taken) -> AsyncIterator[httpx2.AsyncClient]:
    app = application(SECRETS, taken.hand_over, taken.is_ready, clock=lambda: NOW)
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://gateway") as made:
        yield made


def _body(payload: Any) -> bytes:
    return json.dumps(payload).encode()


async def _send(
    client: httpx2.AsyncClient, provider: Provider, event: str, body: bytes, **headers: str
) -> httpx2.Response:
    known = signed_headers(provider, event, body)
    return await client.post(f"/webhooks/{provider}", content=body, headers=known | headers)


@pytest.mark.parametrize(("provider", "example"), _ALL)
async def test_every_example_is_taken_or_declined(
    provider: Provider, example: Example, client: httpx2.AsyncClient, taken: Taken
) -> None:
    answer = await _send(client, provider, example.event, _body(example.payload))

    identities = [identity for _, identity in example.read_as]
    assert answer.status_code == (202 if identities else 204)
    assert [event.identity for event in taken.events] == identities
    if identities:
        assert answer.json() == {"accepted": identities}
    else:
        assert answer.content == b""


@pytest.mark.parametrize("provider", EXAMPLES)
async def test_what_nobody_signed_is_refused_and_learns_nothing(
    provider: Provider, client: httpx2.AsyncClient, taken: Taken
) -> None:
    body = _body(EXAMPLES[provider][0].payload)
    unsigned = {"Content-Type": "application/json", "X-GitHub-Event": "push"}
    forged = signed_headers(provider, "push", body, secret="whsec_" + "QUFB" * 8)

    for headers in (unsigned, forged):
        answer = await client.post(f"/webhooks/{provider}", content=body, headers=headers)
        assert answer.status_code == 401
        assert answer.json() == {"refused": "not verified"}
    assert not taken.events


async def test_the_secret_that_follows_counts_already(client: httpx2.AsyncClient) -> None:
    body = _body(_PUSH)
    headers = signed_headers("github", "push", body, secret="the-next-github-secret")

    answer = await client.post("/webhooks/github", content=body, headers=headers)

    assert answer.status_code == 202


async def test_a_signed_delivery_is_not_replayed_later(
    client: httpx2.AsyncClient, taken: Taken
) -> None:
    body = _body(EXAMPLES["gitlab"][0].payload)
    headers = signed_headers("gitlab", "Push Hook", body, now=NOW - 600)

    answer = await client.post("/webhooks/gitlab", content=body, headers=headers)

    assert answer.status_code == 401
    assert not taken.events


@pytest.mark.parametrize(
    ("body", "headers", "status", "said"),
    [
        (b"", {}, 400, "not JSON"),
        (b"{", {}, 400, "not JSON"),
        (b"[]", {}, 400, "not an object"),
        (b"\xff", {}, 400, "not JSON"),
        (b'{"a":' * 100_000, {}, 400, "not JSON"),
        (b"9" * 10_000, {}, 400, "not JSON"),
        (b"{}", {}, 400, "ref: expected text"),
        (b"{}", {"X-GitHub-Event": ""}, 400, "x-github-event is missing"),
        (b"{}", {"X-GitHub-Event": "invented"}, 204, ""),
        (b"{}", {"Content-Type": "application/x-www-form-urlencoded"}, 415, "application/json"),
        (b"{}", {"Content-Length": "many"}, 400, "no number"),
    ],
)
async def test_what_cannot_be_read_is_answered_with_the_reason(
    body: bytes,
    headers: dict[str, str],
    status: int,
    said: str,
    client: httpx2.AsyncClient,
    taken: Taken,
) -> None:
    answer = await _send(client, "github", "push", body, **headers)

    assert answer.status_code == status
    assert said in answer.text
    assert not taken.events


async def test_a_compressed_body_is_not_unpacked(client: httpx2.AsyncClient) -> None:
    bomb = gzip.compress(b" " * 30_000_000)

    answer = await _send(client, "github", "push", bomb, **{"Content-Encoding": "gzip"})

    assert answer.status_code == 415


@pytest.mark.parametrize(("provider", "most"), [("github", 25 << 20), ("gitlab", 1 << 20)])
@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_that_is_too_large_is_refused_before_it_is_read(
    provider: Provider, most: int, declared: bool, client: httpx2.AsyncClient, taken: Taken
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(most // (1 << 16) + 1):
            yield b" " * (1 << 16)

    headers = {"Content-Length": str(most + 1)} if declared else {}
    answer = await client.post(f"/webhooks/{provider}", content=chunks(), headers=headers)

    assert answer.status_code == 413
    assert not taken.events


async def test_all_bodies_together_take_a_bounded_memory(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "_MOST_HELD", 1000)
    hold = asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield b" " * 900
        await hold.wait()

    first = asyncio.create_task(client.post("/webhooks/github", content=slowly()))
    while (answer := await client.post("/webhooks/github", content=b" " * 200)).status_code == 401:
        await asyncio.sleep(0)
    hold.set()

    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "10"
    assert (await first).status_code == 401
    assert (await client.post("/webhooks/github", content=b" " * 200)).status_code == 401


async def test_a_body_that_does_not_come_is_not_waited_for(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "_SECONDS", 0.05)

    async def never() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    answer = await client.post("/webhooks/github", content=never())

    assert answer.status_code == 408


async def test_what_temporal_has_not_taken_is_to_be_sent_again(
    client: httpx2.AsyncClient, taken: Taken
) -> None:
    taken.error = NotTaken("UNAVAILABLE: connection refused")

    answer = await _send(client, "github", "push", _body(_PUSH))

    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "10"
    assert "UNAVAILABLE" not in answer.text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/webhooks/github", 405),
        ("POST", "/webhooks/gitea", 404),
        ("GET", "/docs", 404),
        ("GET", "/openapi.json", 404),
        ("GET", "/healthz", 200),
        ("GET", "/readyz", 200),
    ],
)
async def test_there_is_nothing_else(
    method: str, path: str, status: int, client: httpx2.AsyncClient
) -> None:
    assert (await client.request(method, path)).status_code == status


async def test_it_is_not_ready_while_temporal_does_not_answer(
    client: httpx2.AsyncClient, taken: Taken
) -> None:
    taken.ready = False

    assert (await client.get("/readyz")).status_code == 503
    assert (await client.get("/healthz")).status_code == 200


async def test_what_happened_is_counted(client: httpx2.AsyncClient, taken: Taken) -> None:
    await _send(client, "github", "push", _body(_PUSH))
    await client.post("/webhooks/azure", content=b"{}")
    taken.error = NotTaken("gone")
    await _send(client, "github", "push", _body(_PUSH))

    lines = (await client.get("/metrics")).text.splitlines()

    assert 'regreen_gateway_accepted_total{provider="github"} 1.0' in lines
    assert 'regreen_gateway_refused_total{provider="azure",reason="unverified"} 1.0' in lines
    assert 'regreen_gateway_refused_total{provider="github",reason="not-taken"} 1.0' in lines
    assert 'regreen_gateway_seconds_count{provider="github"} 2.0' in lines
    assert "regreen_gateway_in_flight 0.0" in lines


async def test_the_log_tells_the_delivery_and_neither_body_nor_secret(
    client: httpx2.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "regreen.gateway")
    body = _body(_PUSH | {"head_commit": _PUSH["head_commit"] | {"message": "SECRET-TEXT"}})
    await _send(client, "github", "push", body)
    await _send(client, "github", "push", body + b" ", **{"X-Hub-Signature-256": "sha256=bad"})
    await _send(client, "github", "push", b"{}", **{"X-GitHub-Delivery": 'a"{}<b> ' * 99})

    lines = [JsonLines().format(record) for record in caplog.records]

    told = [json.loads(line) for line in lines]
    assert told[0]["event"] == "accepted"
    assert told[0]["delivery"] == "72d3162e"
    assert told[0]["repository"] == "Codertocat/Hello-World"
    assert [each["event"] for each in told[1:]] == ["refused", "refused"]
    assert not any(secret in line for secret in [*SECRETS["github"], "SECRET-TEXT", "sha256=bad"]
                   for line in lines)  # fmt: skip


async def test_unsigned_deliveries_are_believed_only_where_there_is_no_secret(
    taken: Taken,
) -> None:
    some = {"github": SECRETS["github"]}
    app = application(some, taken.hand_over, taken.is_ready, unsigned=True)  # type: ignore[arg-type]
    transport = httpx2.ASGITransport(app)
    push = EXAMPLES["gitlab"][0]
    plain = {"Content-Type": "application/json"}
    async with httpx2.AsyncClient(transport=transport, base_url="http://gateway") as client:
        gitlab = await client.post(
            "/webhooks/gitlab",
            content=_body(push.payload),
            headers=plain | {"X-Gitlab-Event": push.event},
        )
        github = await client.post(
            "/webhooks/github",
            content=_body(_PUSH),
            headers=plain | {"X-GitHub-Event": "push"},
        )

    assert (gitlab.status_code, github.status_code) == (202, 401)


@pytest.mark.parametrize(
    ("variables", "host", "local", "message"),
    [
        ({}, "127.0.0.1", False, "no webhook secret is set"),
        ({"REGREEN_GITHUB_WEBHOOK_SECRETS": " , "}, "127.0.0.1", False, "no webhook secret"),
        ({}, "0.0.0.0", True, "loopback only"),
        ({}, "gateway.example", True, "loopback only"),
        ({"REGREEN_GITHUB_WEBHOOK_SECRETS": "hunter2"}, "127.0.0.1", False,
         "REGREEN_GITHUB_WEBHOOK_SECRETS: secret 1 is shorter than 16"),
        ({"REGREEN_GITLAB_WEBHOOK_SECRETS": "whsec_not!base64!here"}, "127.0.0.1", False,
         "REGREEN_GITLAB_WEBHOOK_SECRETS: secret 1: what follows whsec_"),
        ({"REGREEN_RECONCILE": "acme/shop"}, "127.0.0.1", True, "`acme/shop` is no clone URL"),
    ],
)  # fmt: skip
async def test_it_does_not_start_with_settings_that_protect_nothing(
    variables: dict[str, str],
    host: str,
    local: bool,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(UsageError, match=message) as raised:
        await gateway(host, 1, "127.0.0.1", load_settings(), insecure_local=local)

    assert not any(value in str(raised.value) for name, value in variables.items()
                   if name.endswith("SECRETS") and value.strip(" ,"))  # fmt: skip


def test_secrets_are_separated_by_commas_or_blanks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGREEN_AZURE_WEBHOOK_SECRETS", "azure:first-password, second-password-x")
    monkeypatch.setenv("REGREEN_GITHUB_WEBHOOK_SECRETS", "only-one-github-secret\n")

    settings = Settings()

    assert webhook_secrets(settings) == {
        "github": ("only-one-github-secret",),
        "azure": ("azure:first-password", "second-password-x"),
    }
    assert "only-one" not in repr(settings)


def test_the_repositories_to_reconcile_are_named_by_their_clone_urls() -> None:
    text = "https://github.com/acme/shop.git  https://github.example/acme/web"

    requests = reconciled_repositories(text)

    assert [(each.repository, each.location) for each in requests] == [
        ("acme/shop", "https://github.com/acme/shop.git"),
        ("acme/web", "https://github.example/acme/web"),
    ]
