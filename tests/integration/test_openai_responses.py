"""The activity that asks a model, against a scripted endpoint on loopback."""

import asyncio
import json
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from openai.types.responses import Response
from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.artifact_store import put_bytes
from activities.openai_prices import cost_usd
from activities.openai_responses import MOST_REPLY_BYTES, ask_model, retry_after
from regreen.contracts.model import ModelExchange, ModelReply, ModelRequest
from tests.doubles.openai_endpoint import (
    Endpoint,
    Step,
    error_body,
    openai_endpoint,
    response_body,
)

Serve = Callable[..., Endpoint]
KEY = "-".join(["sk", "proj", "0123456789abcdef" * 2])


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGREEN_STATE", str(tmp_path / "state"))
    monkeypatch.delenv("REGREEN_ARTIFACTS", raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_MODEL", "gpt-5")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    with ExitStack() as stack:

        def start(*steps: Step) -> Endpoint:
            endpoint = stack.enter_context(openai_endpoint(steps))
            monkeypatch.setenv("OPENAI_BASE_URL", endpoint.base_url)
            return endpoint

        yield start


async def ask(previous: ModelExchange | None = None) -> ModelReply:
    prompt = await put_bytes("prompt.txt", "What is wrong? é".encode(), "text/plain")
    request = ModelRequest(instructions="Answer.", prompt=prompt, previous=previous)
    return await ActivityEnvironment().run(ask_model, request)


async def ask_in_vain() -> ApplicationError:
    with pytest.raises(ApplicationError) as caught:
        await ask()
    error = caught.value
    assert error.__cause__ is None
    assert error.__context__ is None
    assert KEY not in str(error)
    assert "\n" not in error.message
    return error


async def test_a_reply_with_its_cost(serve: Serve) -> None:
    endpoint = serve(Step("It is the operator.", usage=(1_000_000, 100_000)))
    reply = await ask()
    assert reply == ModelReply(
        text="It is the operator.",
        model="gpt-5",
        input_tokens=1_000_000,
        output_tokens=100_000,
        cost_usd=2.25,
    )
    (asked,) = endpoint.asked
    assert asked.path == "/v1/responses"
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert asked.body == {
        "model": "gpt-5",
        "instructions": "Answer.",
        "input": "What is wrong? é",
        "store": False,
    }
    official = ResponseCreateParamsNonStreaming
    assert asked.body.keys() <= official.__optional_keys__ | official.__required_keys__


async def test_the_format_retry_sends_reply_and_feedback(serve: Serve) -> None:
    endpoint = serve(Step("Better."))
    await ask(ModelExchange(reply="Nonsense.", feedback="There is no block."))
    assert endpoint.asked[0].body["input"] == [
        {"role": "user", "content": "What is wrong? é"},
        {"role": "assistant", "content": "Nonsense."},
        {"role": "user", "content": "There is no block."},
    ]


def test_the_double_answers_in_the_official_shape() -> None:
    Response.model_validate(response_body("text", "gpt-5"), strict=True)
    Response.model_validate(response_body("text", "gpt-5", None), strict=True)
    broken = response_body("text", "gpt-5")
    del broken["output"]
    with pytest.raises(ValueError, match="output"):
        Response.model_validate(broken, strict=True)


async def test_missing_usage_counts_as_nothing(serve: Serve) -> None:
    serve(Step("Text.", usage=None))
    reply = await ask()
    assert (reply.input_tokens, reply.output_tokens, reply.cost_usd) == (0, 0, 0.0)


async def test_a_reply_that_is_too_long_is_cut_and_says_so(serve: Serve) -> None:
    serve(Step("é" * MOST_REPLY_BYTES))
    reply = await ask()
    assert len(reply.text.encode()) == MOST_REPLY_BYTES
    assert "longer than" in reply.malformed


async def test_an_incomplete_reply_says_so(serve: Serve) -> None:
    body = response_body("half", "gpt-5")
    body |= {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    serve(Step(body=json.dumps(body).encode()))
    assert (await ask()).malformed == "the reply is incomplete: max_output_tokens"


async def test_a_refusal_is_the_text(serve: Serve) -> None:
    body = response_body("", "gpt-5")
    body["output"][0]["content"] = [{"type": "refusal", "refusal": "I cannot."}]
    serve(Step(body=json.dumps(body).encode()))
    assert (await ask()).text == "I cannot."


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [({"retry-after": "7"}, 7), ({"retry-after-ms": "1500", "retry-after": "7"}, 1.5), ({}, None)],
)
async def test_rate_limit_waits_as_told(
    serve: Serve, headers: dict[str, str], seconds: float
) -> None:
    endpoint = serve(Step(status=429, headers=headers, body=error_body(f"Slow down, {KEY}.")))
    error = await ask_in_vain()
    assert (error.type, error.non_retryable) == ("ModelRateLimited", False)
    assert error.next_retry_delay == (timedelta(seconds=seconds) if seconds else None)
    assert "Slow down, [redacted]." in error.message
    assert len(endpoint.asked) == 1


@pytest.mark.parametrize("status", [408, 409, 500, 502, 503])
async def test_transient_failures_are_retried_by_temporal_alone(serve: Serve, status: int) -> None:
    endpoint = serve(Step(status=status, body=b"<html>oops</html>"))
    error = await ask_in_vain()
    assert (error.type, error.non_retryable) == ("ModelUnavailable", False)
    assert len(endpoint.asked) == 1


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (400, "ModelRequestRejected"),
        (401, "ModelKeyRejected"),
        (403, "ModelAccessDenied"),
        (404, "ModelNotFound"),
        (422, "ModelRequestRejected"),
    ],
)
async def test_refusals_are_final_and_keep_the_key(serve: Serve, status: int, name: str) -> None:
    message = f"Incorrect API key provided: {KEY[:7]}***{KEY[-4:]} ({KEY})"
    serve(Step(status=status, body=error_body(message)))
    error = await ask_in_vain()
    assert (error.type, error.non_retryable) == (name, True)
    if status == 401:
        assert KEY[-4:] not in error.message


async def test_used_up_quota_is_final(serve: Serve) -> None:
    serve(Step(status=429, body=error_body("You exceeded your quota.", "insufficient_quota")))
    error = await ask_in_vain()
    assert (error.type, error.non_retryable) == ("ModelQuotaExhausted", True)


@pytest.mark.parametrize(
    "step",
    [
        Step(body=b'{"id": "resp'),
        Step(body=b"[]"),
        Step(body=b"{}"),
        Step(body=b"hello", headers={"content-type": "text/plain"}),
        Step(body=b'{"object": "response", "output": [{"type": "message"}]}'),
        Step(body=b""),
    ],
)
async def test_an_unreadable_answer(serve: Serve, step: Step) -> None:
    serve(step)
    error = await ask_in_vain()
    assert (error.type, error.non_retryable) == ("ModelReplyUnreadable", False)


@pytest.mark.parametrize(
    ("code", "name"),
    [("server_error", "ModelUnavailable"), ("invalid_prompt", "ModelRequestRejected")],
)
async def test_a_failed_response(serve: Serve, code: str, name: str) -> None:
    body = response_body("", "gpt-5")
    body |= {"status": "failed", "error": {"code": code, "message": KEY}}
    serve(Step(body=json.dumps(body).encode()))
    assert (await ask_in_vain()).type == name


async def test_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{free.getsockname()[1]}/v1")
        error = await ask_in_vain()
    assert (error.type, error.non_retryable) == ("ModelUnavailable", False)


async def test_a_silent_service_times_out(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGREEN_OPENAI_TIMEOUT", "0.2")
    serve(Step(hangs=True))
    error = await ask_in_vain()
    assert (error.type, error.non_retryable) == ("ModelUnavailable", False)
    assert "did not answer" in error.message


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("OPENAI_API_KEY", "", "OPENAI_API_KEY is not set"),
        ("OPENAI_API_KEY", " ", "OPENAI_API_KEY is not set"),
        ("OPENAI_API_KEY", "a\nb", "holds characters that no key has"),
        ("OPENAI_BASE_URL", "localhost:1", "is not an http or https address"),
    ],
)
async def test_wrong_configuration(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, reason: str
) -> None:
    endpoint = serve(Step("Never."))
    monkeypatch.setenv(variable, value)
    error = await ask_in_vain()
    assert (error.type, error.non_retryable) == ("ModelNotConfigured", True)
    assert reason in error.message
    assert endpoint.asked == []


async def test_cancelling_heartbeats_and_closes_the_request(serve: Serve) -> None:
    endpoint = serve(Step(hangs=True))
    environment = ActivityEnvironment()
    beats: list[Sequence[object]] = []
    environment.on_heartbeat = lambda *details: beats.append(details)
    prompt = await put_bytes("prompt.txt", b"Hello", "text/plain")
    request = ModelRequest(instructions="Answer.", prompt=prompt)
    running = asyncio.ensure_future(environment.run(ask_model, request))
    assert await asyncio.to_thread(endpoint.arrived.wait, 20)
    environment.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await asyncio.to_thread(endpoint.abandoned.wait, 20)
    assert beats


def test_retry_after_as_a_date() -> None:
    now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    date = {"retry-after": "Fri, 02 Jan 2026 03:05:05 GMT"}
    assert retry_after(date, now) == timedelta(minutes=1)
    assert retry_after({"retry-after": "Thu, 01 Jan 2026 03:05:05 GMT"}, now) is None
    assert retry_after({"retry-after": "soon"}, now) is None
    assert retry_after({"retry-after": "nan"}, now) is None
    assert retry_after({"retry-after": "1e300"}, now) is None
    assert retry_after({"retry-after": "99999"}, now) == timedelta(hours=1)


def test_prices() -> None:
    assert cost_usd("gpt-5-mini-2025-08-07", 1_000_000, 0) == 0.25
    assert cost_usd("gpt-5-mini-tuned", 1_000_000, 0) == 0.0
    assert cost_usd("another", 1_000_000, 1_000_000) == 0.0
