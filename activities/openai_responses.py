"""Asking a language model through OpenAI's Responses API, or any endpoint that speaks it.

The client never retries: Temporal does, and waits as long as the service says.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from temporalio import activity

from activities.artifact_store import get_bytes, put_bytes
from activities.bounded_response import BoundedResponses
from activities.healing.token_estimate import estimate_tokens
from activities.heartbeat import heartbeating
from activities.openai_failures import (
    refused,
    response_failure,
    status_failure,
    transient,
    unanswered,
)
from activities.openai_prices import price_of
from regreen.contracts.model import ModelCheck, ModelReply, ModelRequest, ModelTerms
from regreen.printable import one_line_of
from regreen.settings import Settings, load_settings

if TYPE_CHECKING:
    from openai.types.responses import Response, ResponseInputParam

MOST_REPLY_BYTES = 100_000
MOST_BODY_BYTES = 1_000_000
_MOST_PREVIOUS_BYTES = 20_000


@activity.defn
async def check_model(check: ModelCheck) -> ModelTerms:
    """The configured model and its price.

    Raises ApplicationError `ModelNotConfigured`, not retryable.
    """
    settings = load_settings()
    _configured_key(settings)
    model = settings.openai_model
    return ModelTerms(model=model, price=price_of(model, settings))


@activity.defn
async def ask_model(request: ModelRequest) -> ModelReply:
    """Ask the configured model and store what it says; the result has its tokens and cost.

    Raises ApplicationError. Not retryable: `ModelNotConfigured`, `ModelKeyRejected`,
    `ModelAccessDenied`, `ModelNotFound`, `ModelRequestRejected`, `ModelQuotaExhausted`. Retryable:
    `ModelRateLimited` and `ModelUnavailable`, after the time that the service asks for. No answer
    in time (`ModelSilent`) and one that is no response (`ModelReplyUnreadable`) may have been
    charged all the same, and are retryable twice. No error shows the key.
    """
    # It is a seventh of what every command loads otherwise, and few processes ask a model.
    import openai

    settings = load_settings()
    key = _configured_key(settings)
    prompt = (await get_bytes(request.prompt)).decode("utf-8", "replace")
    given = [prompt]
    if request.previous is not None:
        reply = (await get_bytes(request.previous.reply))[:_MOST_PREVIOUS_BYTES]
        given += [reply.decode("utf-8", "ignore"), request.previous.feedback]
    bounded = BoundedResponses(MOST_BODY_BYTES)
    seconds = settings.openai_timeout
    try:
        # The client's own time-out starts anew with every byte that trickles in.
        async with asyncio.timeout(seconds):
            asking = _ask(settings, key, request, given, bounded)
            response = await heartbeating(asking, settings.openai_model)
        answer = _take_apart(response, request, given)
    except openai.APIStatusError as error:
        failure = status_failure(error, key)
    except (openai.APITimeoutError, TimeoutError):
        failure = unanswered("ModelSilent", f"the model did not answer within {seconds:g} s")
    except openai.APIConnectionError:
        failure = transient("ModelUnavailable", "the model's address cannot be reached")
    except (openai.OpenAIError, ValueError, TypeError, AttributeError):
        reason = "the model's answer is not a Responses API object"
        failure = unanswered("ModelReplyUnreadable", reason)
    else:
        return await _stored(answer, settings, request)
    if bounded.cut and failure.type == "ModelReplyUnreadable":
        return await _stored(_cut_off(bounded.cut, request, given), settings, request)
    # Raised outside of the handlers: their errors hold the request with its key.
    raise failure


def _configured_key(settings: Settings) -> str:
    key = "" if settings.openai_api_key is None else settings.openai_api_key.get_secret_value()
    if not key.strip():
        raise refused("ModelNotConfigured", "OPENAI_API_KEY is not set")
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise refused("ModelNotConfigured", "OPENAI_API_KEY holds characters that no key has")
    base_url = settings.openai_base_url
    if base_url is not None and not base_url.startswith(("http://", "https://")):
        raise refused("ModelNotConfigured", "OPENAI_BASE_URL is not an http or https address")
    if (settings.openai_input_usd is None) != (settings.openai_output_usd is None):
        both = "REGREEN_OPENAI_INPUT_USD and REGREEN_OPENAI_OUTPUT_USD"
        raise refused("ModelNotConfigured", f"{both} need each other")
    return key


async def _ask(
    settings: Settings,
    key: str,
    request: ModelRequest,
    given: list[str],
    bounded: BoundedResponses,
) -> "Response":
    import openai

    conversation: str | ResponseInputParam = given[0]
    if len(given) > 1:
        conversation = [
            {"role": "user", "content": given[0]},
            {"role": "assistant", "content": given[1]},
            {"role": "user", "content": given[2]},
        ]
    hooks: dict[str, list[Callable[..., Any]]] = {"response": [bounded]}
    async with openai.AsyncOpenAI(
        api_key=key,
        base_url=settings.openai_base_url,
        max_retries=0,
        timeout=settings.openai_timeout,
        default_headers={"Accept-Encoding": "identity"},
        http_client=openai.DefaultAsyncHttpxClient(event_hooks=hooks),
    ) as client:
        return await client.responses.create(
            model=settings.openai_model,
            instructions=request.instructions,
            input=conversation,
            max_output_tokens=request.max_output_tokens,
            store=False,
        )


@dataclass(frozen=True)
class _Answer:
    text: str
    malformed: str
    tokens: tuple[int, int]
    estimated: bool
    model: str = ""


def _take_apart(response: "Response", request: ModelRequest, given: list[str]) -> _Answer:
    from openai.types.responses import Response

    # The client builds the object without checking it, and hands over plain text as it came.
    if not isinstance(response, Response) or not isinstance(response.output, list):
        raise TypeError("not a response")
    if response.error is not None:
        raise response_failure(response)
    text, malformed = _text(response), ""
    if len(text.encode("utf-8", "replace")) > MOST_REPLY_BYTES:
        malformed = f"the reply is longer than {MOST_REPLY_BYTES:,} bytes; answer with less"
    elif response.incomplete_details is not None or response.status == "incomplete":
        reason = response.incomplete_details and response.incomplete_details.reason
        malformed = f"the reply is incomplete: {one_line_of(reason or 'cut off')}"
    reported = _reported_tokens(response, given)
    tokens = reported or (_estimated_input(request, given), estimate_tokens(text))
    return _Answer(text, malformed, tokens, reported is None, one_line_of(response.model or ""))


def _cut_off(why: str, request: ModelRequest, given: list[str]) -> _Answer:
    malformed = f"the service's answer is {why}"
    # The count stands at the answer's end, unread. More than this was not asked for.
    tokens = _estimated_input(request, given), request.max_output_tokens
    return _Answer("", malformed, tokens, True)


async def _stored(answer: _Answer, settings: Settings, request: ModelRequest) -> ModelReply:
    model = answer.model[:100] or settings.openai_model
    price = price_of(model, settings) or price_of(settings.openai_model, settings)
    # At most as much as is read of it.
    kept = answer.text.encode("utf-8", "replace")[:MOST_REPLY_BYTES].decode("utf-8", "ignore")
    return ModelReply(
        reply=await put_bytes(request.name, kept.encode(), "text/plain"),
        model=model,
        input_tokens=answer.tokens[0],
        output_tokens=answer.tokens[1],
        estimated=answer.estimated,
        cost_usd=0.0 if price is None else price.of(*answer.tokens),
        price_known=price is not None,
        tries=activity.info().attempt,
        malformed=answer.malformed,
    )


def _reported_tokens(response: "Response", given: list[str]) -> tuple[int, int] | None:
    """Input and output tokens as the service counts them; None when that cannot be."""
    usage = response.usage
    counts = (getattr(usage, "input_tokens", None), getattr(usage, "output_tokens", None))
    # No tokeniser makes more tokens than bytes; a service may add some of its own.
    most = (10_000 + sum(len(text.encode("utf-8", "replace")) for text in given), 1_000_000)
    for count, limit in zip(counts, most, strict=True):
        if type(count) is not int or not 0 <= count <= limit:
            return None
    return counts  # type: ignore[return-value]


def _estimated_input(request: ModelRequest, given: list[str]) -> int:
    return sum(estimate_tokens(text) for text in (request.instructions, *given))


def _text(response: "Response") -> str:
    refusals = [
        content.refusal
        for item in response.output
        if item.type == "message"
        for content in item.content
        if content.type == "refusal"
    ]
    return response.output_text or "\n".join(refusals)
