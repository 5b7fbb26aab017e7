"""The codec server, asked over HTTP as Temporal's web UI and command line ask it."""

import base64
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workers.codec_server import bound, codec_application, serving
from workers.payload_codec import EncryptionCodec, key_id

KEY = b"k" * 32
UI = "http://127.0.0.1:8233"
PAYLOAD = {
    "metadata": {"encoding": base64.b64encode(b"json/plain").decode()},
    "data": base64.b64encode(b'"the secret"').decode(),
}
BODY = json.dumps({"payloads": [PAYLOAD, PAYLOAD]})

# JSON that is now and then the protocol's.
NEARLY = st.recursive(
    st.none() | st.text(max_size=5) | st.integers() | st.sampled_from([PAYLOAD]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["payloads", "metadata", "data", "encoding"]), inner)
    ),
)


@asynccontextmanager
async def _server(token: str | None = None) -> AsyncIterator[httpx2.AsyncClient]:
    application = codec_application(EncryptionCodec([KEY]), origins=[UI], token=token)
    with bound("127.0.0.1", 0) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with serving(application, listener), httpx2.AsyncClient(base_url=address) as client:
            yield client


@pytest_asyncio.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    async with _server() as client:
        yield client


async def _ask(
    client: httpx2.AsyncClient, path: str, body: str | bytes, **headers: str
) -> httpx2.Response:
    sent: Mapping[str, str] = {
        "Content-Type": "application/json",
        "X-Namespace": "default",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    return await client.post(path, content=body, headers=sent)


def _payloads(response: httpx2.Response) -> list[Any]:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    return list(response.json()["payloads"])


async def test_what_it_encodes_it_decodes_in_the_same_order() -> None:
    async with _server() as client:
        encrypted = await _ask(client, "/encode", BODY)
        assert "the secret" not in encrypted.text
        [first, _] = _payloads(encrypted)
        assert base64.b64decode(first["metadata"]["encoding"]) == b"binary/encrypted"
        assert base64.b64decode(first["metadata"]["encryption-key-id"]).decode() == key_id(KEY)
        mixed = json.dumps({"payloads": [first, PAYLOAD]})

        decoded = await _ask(client, "/any/depth/decode?preserveStorageRefs=true", mixed)

        assert _payloads(decoded) == [PAYLOAD, PAYLOAD]


async def test_a_page_of_the_web_ui_may_ask_and_no_other() -> None:
    async with _server() as client:
        asked = {
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type,x-namespace",
        }
        preflight = await client.options("/decode", headers={"Origin": UI, **asked})
        assert preflight.status_code == 200
        assert preflight.headers["access-control-allow-origin"] == UI
        answer = await _ask(client, "/encode", BODY, Origin=UI)
        assert answer.headers["access-control-allow-origin"] == UI
        assert len(_payloads(answer)) == 2
        for other in ("http://localhost:8233", "https://evil.example", "null"):
            preflight = await client.options("/decode", headers={"Origin": other, **asked})
            assert "access-control-allow-origin" not in preflight.headers
            assert (await _ask(client, "/decode", BODY, Origin=other)).status_code == 403


@pytest.mark.parametrize("given_token", [None, "Bearer wrong", "Basic right", "Bearer", "right"])
async def test_with_a_token_nobody_is_answered_without_it(given_token: str | None) -> None:
    async with _server(token="right") as client:
        headers = {} if given_token is None else {"Authorization": given_token}
        refused = await _ask(client, "/decode", BODY, **headers)
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"] == "Bearer"
        assert (
            len(_payloads(await _ask(client, "/decode", BODY, Authorization="Bearer right"))) == 2
        )


async def test_what_it_cannot_decrypt_is_told() -> None:
    async with _server() as client:
        [encrypted, _] = _payloads(await _ask(client, "/encode", BODY))
        data = base64.b64decode(encrypted["data"])
        changed = {**encrypted, "data": base64.b64encode(data[:-1]).decode()}
        refused = await _ask(client, "/decode", json.dumps({"payloads": [changed]}))
        assert (refused.status_code, refused.text.count("\n")) == (400, 1)
        assert "was changed after it was encrypted" in refused.text
        metadata = {**encrypted["metadata"], "encryption-key-id": ""}
        unnamed = {**encrypted, "metadata": metadata}
        refused = await _ask(client, "/decode", json.dumps({"payloads": [unnamed]}))
        assert refused.status_code == 400
        assert "which this process does not have" in refused.text


async def test_wrong_requests_are_refused() -> None:
    async with _server() as client:
        assert (await _ask(client, "/decrypt", BODY)).status_code == 404
        assert (await client.get("/decode")).status_code == 405
        deep = "[" * 100_000
        for body in ("", "nonsense", '{"payloads": 3}', '{"payloads": [{"data": 7}]}', deep):
            assert (await _ask(client, "/decode", body)).status_code == 400, body[:40]
        assert (await _ask(client, "/decode", b" " * (33 << 20))).status_code == 413
        assert _payloads(await _ask(client, "/decode", '{"payloads": [{}], "more": 1}')) == [{}]


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(body=st.binary(max_size=200) | NEARLY.map(lambda value: json.dumps(value).encode()))
async def test_no_body_makes_it_fail(client: httpx2.AsyncClient, body: bytes) -> None:
    assert (await _ask(client, "/decode", body)).status_code in (200, 400)
