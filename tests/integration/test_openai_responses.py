"""The activity that asks a model, against a scripted endpoint on loopback."""

import asyncio
import dataclasses
import gzip
import json
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from openai.types.responses import Response
from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming
from openai.types.shared import ErrorObject
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.artifact_store import get_bytes, put_bytes
from activities.healing.token_estimate import estimate_tokens
from activities.openai_prices import price_of
from activities.openai_responses import (
    MOST_BODY_BYTES,
    MOST_REPLY_BYTES,
    ask_model,
    check_model,
)
from activities.retry_after import retry_after
from regreen.contracts.model import (
    ModelCheck,
    ModelExchange,
    ModelReply,
    ModelRequest,
    ModelTerms,
    Price,
)
from regreen.settings import load_settings
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
    for name in ("REGREEN_OPENAI_INPUT_USD", "REGREEN_OPENAI_OUTPUT_USD"):
        monkeypatch.delenv(name, raising=False)
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


PROMPT = "What is wrong? é"
INPUT_ESTIMATE = estimate_tokens("Answer.") + estimate_tokens(PROMPT)


async def ask(*previous: str, attempt: int = 1) -> ModelReply:
    """Ask once more; `previous` are an earlier reply and the feedback on it."""
    prompt = await put_bytes("prompt.txt", PROMPT.encode(), "text/plain")
    exchange = None
    if previous:
        reply = await put_bytes("earlier.txt", previous[0].encode())
        exchange = ModelExchange(reply=reply, feedback=previous[1])
    request = ModelRequest(
        instructions="Answer.",
        prompt=prompt,
        previous=exchange,
        max_output_tokens=900,
        name="unit-attempt-1.reply.txt",
    )
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(environment.info, attempt=attempt)
    return await environment.run(ask_model, request)


async def said(reply: ModelReply) -> str:
    return (await get_bytes(reply.reply)).decode()


async def ask_in_vain(attempt: int = 1) -> ApplicationError:
    with pytest.raises(ApplicationError) as caught:
        await ask(attempt=attempt)
    error = caught.value
    assert error.__cause__ is None
    assert error.__context__ is None
    assert KEY not in str(error)
    assert "\n" not in error.message
    return error


async def test_a_reply_with_its_cost(serve: Serve) -> None:
    endpoint = serve(Step("It is the operator.", usage=(4_000, 100_000)))
    reply = await ask()
    assert reply == ModelReply(
        reply=reply.reply,
        model="gpt-5",
        input_tokens=4_000,
        output_tokens=100_000,
        cost_usd=1.005,
    )
    assert (reply.reply.name, await said(reply)) == (
        "unit-attempt-1.reply.txt",
        "It is the operator.",
    )
    (asked,) = endpoint.asked
    assert asked.path == "/v1/responses"
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert asked.body == {
        "model": "gpt-5",
        "instructions": "Answer.",
        "input": PROMPT,
        "max_output_tokens": 900,
        "store": False,
    }
    official = ResponseCreateParamsNonStreaming
    assert asked.body.keys() <= official.__optional_keys__ | official.__required_keys__


async def test_a_reply_tells_how_often_the_service_was_asked(serve: Serve) -> None:
    serve(Step("Text."))
    assert (await ask(attempt=4)).tries == 4


async def test_the_format_retry_sends_reply_and_feedback(serve: Serve) -> None:
    endpoint = serve(Step("Better."))
    await ask("Nonsense." + "x" * 50_000, "There is no block.")
    assert endpoint.asked[0].body["input"] == [
        {"role": "user", "content": PROMPT},
        {"role": "assistant", "content": "Nonsense." + "x" * (20_000 - 9)},
        {"role": "user", "content": "There is no block."},
    ]


def test_the_double_answers_in_the_official_shape() -> None:
    Response.model_validate(response_body("text", "gpt-5"), strict=True)
    Response.model_validate(response_body("text", "gpt-5", None), strict=True)
    Response.model_validate(response_body("half", "gpt-5", incomplete="max_output_tokens"))
    error = json.loads(error_body("Slow down.", "rate_limit_exceeded"))
    assert ErrorObject.model_validate(error["error"], strict=True).code == "rate_limit_exceeded"
    broken = response_body("text", "gpt-5")
    del broken["output"]
    with pytest.raises(ValueError, match="output"):
        Response.model_validate(broken, strict=True)


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        {"input_tokens": -5, "output_tokens": 80},
        {"input_tokens": 12, "output_tokens": 10**15},
        {"input_tokens": 10**9, "output_tokens": 80},
        {"input_tokens": "12", "output_tokens": "80"},
        {"input_tokens": 12.5, "output_tokens": 80},
        {"input_tokens": True, "output_tokens": True},
        {"input_tokens": None, "output_tokens": None},
        ["nothing"],
        "many",
    ],
)
async def test_tokens_that_are_not_told_or_cannot_be_are_estimated(
    serve: Serve, usage: object
) -> None:
    body = response_body("Some text.", "gpt-5") | {"usage": usage}
    serve(Step(body=json.dumps(body).encode()))
    reply = await ask()
    assert reply.estimated
    assert (reply.input_tokens, reply.output_tokens) == (
        INPUT_ESTIMATE,
        estimate_tokens("Some text."),
    )
    assert reply.cost_usd > 0


async def test_a_reply_that_is_too_long_is_cut_and_says_so(serve: Serve) -> None:
    serve(Step("é" * MOST_REPLY_BYTES))
    reply = await ask()
    assert len((await said(reply)).encode()) == reply.reply.bytes == MOST_REPLY_BYTES
    assert "longer than" in reply.malformed


@pytest.mark.parametrize(
    "step",
    [
        Step("x" * (2 * MOST_BODY_BYTES)),
        Step("x", endless=True),
        Step("x", endless=True, headers={"transfer-encoding": "chunked"}),
    ],
    ids=["2 MB", "without end", "chunks without end"],
)
async def test_no_more_of_an_answer_is_read_than_a_megabyte(serve: Serve, step: Step) -> None:
    endpoint = serve(step)
    reply = await ask()
    assert reply.malformed == "the service's answer is longer than 1,000,000 bytes"
    assert await said(reply) == ""
    # What such an answer costs is not known: as much as was asked for.
    assert (reply.input_tokens, reply.output_tokens, reply.estimated) == (INPUT_ESTIMATE, 900, True)
    if step.endless:
        assert await asyncio.to_thread(endpoint.abandoned.wait, 20)


async def test_a_long_error_is_read_no_further_than_any_answer(serve: Serve) -> None:
    serve(Step(status=500, body=b"x" * (2 * MOST_BODY_BYTES)))
    assert (await ask_in_vain()).type == "ModelUnavailable"


async def test_a_packed_answer_is_not_unpacked(serve: Serve) -> None:
    packed = gzip.compress(json.dumps(response_body("x" * 10_000_000, "gpt-5")).encode())
    assert len(packed) < MOST_BODY_BYTES
    endpoint = serve(Step(body=packed, headers={"content-encoding": "gzip"}))
    reply = await ask()
    assert endpoint.asked[0].headers["accept-encoding"] == "identity"
    assert reply.malformed == "the service's answer is packed ('gzip'), which was not asked for"


async def test_an_incomplete_reply_says_so(serve: Serve) -> None:
    serve(Step("half", incomplete="max_output_tokens"))
    assert (await ask()).malformed == "the reply is incomplete: max_output_tokens"


async def test_a_reply_that_is_cut_off_without_a_reason_is_incomplete(serve: Serve) -> None:
    body = response_body("half", "gpt-5") | {"status": "incomplete"}
    serve(Step(body=json.dumps(body).encode()))
    assert (await ask()).malformed == "the reply is incomplete: cut off"


async def test_a_refusal_is_the_text(serve: Serve) -> None:
    body = response_body("", "gpt-5")
    body["output"][0]["content"] = [{"type": "refusal", "refusal": "I cannot."}]
    serve(Step(body=json.dumps(body).encode()))
    assert await said(await ask()) == "I cannot."


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
    ("step", "name"),
    [(Step(body=b"{}"), "ModelReplyUnreadable"), (Step(hangs=True), "ModelSilent")],
)
async def test_what_may_have_been_charged_is_asked_three_times_at_most(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, step: Step, name: str
) -> None:
    monkeypatch.setenv("REGREEN_OPENAI_TIMEOUT", "0.2")
    serve(step)
    finals = [(await ask_in_vain(attempt)).non_retryable for attempt in (1, 2, 3)]
    assert finals == [False, False, True]
    error = await ask_in_vain(3)
    assert error.type == name
    assert error.message.endswith("(3 tries)")


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


@pytest.mark.parametrize(
    "step",
    [Step(hangs=True), Step("x" * 500, trickles=True)],
    ids=["says nothing", "a byte now and then"],
)
async def test_a_service_that_does_not_come_to_an_end_is_left(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, step: Step
) -> None:
    endpoint = serve(Step("Loads what the client loads with its first request."), step)
    await ask()
    monkeypatch.setenv("REGREEN_OPENAI_TIMEOUT", "1.5")
    error = await ask_in_vain()
    assert (error.type, error.non_retryable) == ("ModelSilent", False)
    assert error.message == "the model did not answer within 1.5 s"
    assert await asyncio.to_thread(endpoint.abandoned.wait, 20)


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("OPENAI_API_KEY", "", "OPENAI_API_KEY is not set"),
        ("OPENAI_API_KEY", " ", "OPENAI_API_KEY is not set"),
        ("OPENAI_API_KEY", "a\nb", "holds characters that no key has"),
        ("OPENAI_BASE_URL", "localhost:1", "is not an http or https address"),
        ("REGREEN_OPENAI_INPUT_USD", "1", "REGREEN_OPENAI_OUTPUT_USD need each other"),
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
    request = ModelRequest(
        instructions="Answer.", prompt=prompt, max_output_tokens=900, name="reply.txt"
    )
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


def test_list_prices() -> None:
    settings = load_settings()
    assert price_of("gpt-5-mini-2025-08-07", settings) == Price(input_usd=0.25, output_usd=2)
    assert price_of("gpt-5-mini-tuned", settings) is None
    assert price_of("another", settings) is None
    assert Price(input_usd=0.25, output_usd=2).of(1_000_000, 500_000) == 1.25


async def test_a_price_in_the_settings_goes_before_the_list(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGREEN_OPENAI_INPUT_USD", "1")
    monkeypatch.setenv("REGREEN_OPENAI_OUTPUT_USD", "0")
    serve(Step("Text.", usage=(5_000, 100)))
    reply = await ask()
    assert (reply.cost_usd, reply.price_known) == (0.005, True)
    terms = await ActivityEnvironment().run(check_model, ModelCheck(stage="unit"))
    assert terms == ModelTerms(model="gpt-5", price=Price(input_usd=1, output_usd=0))


async def test_an_unknown_price_says_so(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_MODEL", "local-model")
    serve(Step("Text."))
    reply = await ask()
    assert (reply.model, reply.cost_usd, reply.price_known) == ("local-model", 0.0, False)
    terms = await ActivityEnvironment().run(check_model, ModelCheck(stage="unit"))
    assert terms == ModelTerms(model="local-model")
