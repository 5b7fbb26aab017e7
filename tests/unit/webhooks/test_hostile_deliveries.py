"""Deliveries that nobody would send: no answer is a failure of ours, and nothing is started.

`REGREEN_TEST_WEBHOOKS=10000` makes as many of them in all.
"""

import asyncio
import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

import httpx2
import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from regreen.contracts.forge_event import Provider
from starters.gateway.application import application
from tests.unit.webhooks.examples import EXAMPLES, official_github
from tests.unit.webhooks.signing import NOW, SECRETS, signed_headers
from tests.unit.webhooks.test_gateway import Taken

_IN_ALL = int(os.environ.get("REGREEN_TEST_WEBHOOKS", "240"))
# Two kinds of them, and an operation of the schema for each provider.
_EACH = settings(
    max_examples=_IN_ALL // 3,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
pytestmark = pytest.mark.timeout(1800)

_TAKEN = Taken()
_APP = application(SECRETS, _TAKEN.hand_over, _TAKEN.is_ready, clock=lambda: NOW)

_DELIVERIES: list[tuple[Provider, str, dict[str, Any]]] = [
    *((provider, each.event, each.payload) for provider in EXAMPLES for each in EXAMPLES[provider]),
    *(("github", event, payload) for event, payload in official_github()),
]
_JSON = some.recursive(
    some.none()
    | some.booleans()
    | some.integers()
    | some.floats(allow_nan=True)
    | some.text(max_size=20)
    | some.sampled_from(
        ["../..", "refs/heads/", "a" * 40, "/regreen approve", "\ud800", "x" * 3000]
    ),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=8), inner),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def send() -> Iterator[Any]:
    """Posts to the application and gives the answer."""
    transport = httpx2.ASGITransport(_APP)
    with asyncio.Runner() as runner:
        client = httpx2.AsyncClient(transport=transport, base_url="http://gateway")

        def post(provider: str, body: bytes, headers: Mapping[str, Any]) -> httpx2.Response:
            call = client.post(f"/webhooks/{provider}", content=body, headers=headers)
            return runner.run(call)

        yield post
        runner.run(client.aclose())


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, inner in items:
        yield (*path, key)
        yield from _places(inner, (*path, key))


@some.composite
def _mutated(draw: some.DrawFn) -> tuple[Provider, str, bytes]:
    """An example with some of its values replaced or lost."""
    provider, event, payload = draw(some.sampled_from(_DELIVERIES))
    copy = json.loads(json.dumps(payload))
    for _ in range(draw(some.integers(1, 4))):
        places = list(_places(copy))
        if not places:
            break
        *path, last = draw(some.sampled_from(places))
        inner = copy
        for key in path:
            inner = inner[key]
        if draw(some.booleans()):
            inner[last] = draw(_JSON)
        elif isinstance(inner, dict):
            del inner[last]
    return provider, event, json.dumps(copy).encode()


@_EACH
@given(_mutated())
def test_whatever_is_signed_is_taken_declined_or_malformed(
    send: Any, delivery: tuple[Provider, str, bytes]
) -> None:
    provider, event, body = delivery

    answer = send(provider, body, signed_headers(provider, event, body))

    assert answer.status_code in (202, 204, 400), answer.text
    for taken in _TAKEN.events:
        assert ".." not in taken.repository.split("/")
        assert taken.location.startswith(("https://", "http://"))
        assert taken.ref.isprintable()
    _TAKEN.events.clear()


@some.composite
def _tampered(draw: some.DrawFn) -> tuple[Provider, bytes, dict[str, bytes]]:
    """A signed delivery that was changed afterwards."""
    provider, event, payload = draw(some.sampled_from(_DELIVERIES))
    body = json.dumps(payload).encode()
    headers = signed_headers(provider, event, body)
    signature = next(
        name
        for name in ("X-Hub-Signature-256", "X-Hub-Signature", "webhook-signature", "Authorization")
        if name in headers
    )
    encoded = {name: value.encode() for name, value in headers.items()}
    if provider != "azure" and draw(some.booleans()):
        place = draw(some.integers(0, len(body) - 1))
        byte = draw(some.integers(0, 255).filter(lambda value: value != body[place]))
        body = body[:place] + bytes([byte]) + body[place + 1 :]
    else:
        visible = some.binary(max_size=100).map(lambda each: bytes(32 + b % 94 for b in each))
        encoded[signature] = draw(visible.filter(lambda each: each != encoded[signature]))
    return provider, body, encoded


@_EACH
@given(_tampered())
def test_whatever_is_changed_after_signing_starts_nothing(
    send: Any, delivery: tuple[Provider, bytes, dict[str, bytes]]
) -> None:
    provider, body, headers = delivery

    answer = send(provider, body, headers)

    assert answer.status_code == 401, answer.text
    assert not _TAKEN.events


def _operation(provider: Provider) -> dict[str, Any]:
    text = {"type": "string", "maxLength": 200}
    names = ["X-GitHub-Event", "X-Gitlab-Event", "X-Event-Key", "X-Hub-Signature", "X-Gitlab-Token",
             "X-Hub-Signature-256", "webhook-signature", "webhook-id", "webhook-timestamp",
             "Authorization", "Content-Encoding", "X-Regreen-Secret"]  # fmt: skip
    return {
        "operationId": provider,
        "parameters": [{"in": "header", "name": name, "schema": text} for name in names],
        "requestBody": {
            "content": {
                "application/json": {"schema": {"type": "object"}},
                "text/plain": {"schema": {"type": "string"}},
            }
        },
        "responses": {"default": {"description": "docs/gateway.md"}},
    }


_DESCRIBED = FastAPI(openapi_url=None)
_DESCRIBED.add_api_route(
    "/openapi.json",
    lambda: {
        "openapi": "3.1.0",
        "info": {"title": "gateway", "version": "1"},
        "paths": {f"/webhooks/{each}": {"post": _operation(each)} for each in EXAMPLES},
    },
)
_DESCRIBED.mount("/", _APP)
_SCHEMA = schemathesis.openapi.from_asgi("/openapi.json", _DESCRIBED)


@_SCHEMA.parametrize()
@settings(_EACH, max_examples=_IN_ALL // 12)
def test_whatever_is_sent_unsigned_is_refused(case: schemathesis.Case) -> None:
    answer = case.call()

    assert 400 <= answer.status_code < 500, answer.text
    assert not _TAKEN.events
