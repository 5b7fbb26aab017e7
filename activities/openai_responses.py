"""Asking a language model through OpenAI's Responses API, or any endpoint that speaks it.

The client never retries: Temporal does, and waits as long as the service says.
"""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import openai
from openai.types.responses import Response
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.artifact_store import get_bytes
from activities.healing.redaction import redact
from activities.heartbeat import heartbeating
from activities.openai_prices import cost_usd
from regreen.contracts.model import ModelCheck, ModelReply, ModelRequest
from regreen.settings import Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openai.types.responses import ResponseInputParam

MOST_REPLY_BYTES = 100_000
_LONGEST_WAIT = timedelta(hours=1)
_LONGEST_DETAIL = 300
_TRANSIENT = {408, 409, 425, 429}
_REFUSED = {
    400: "ModelRequestRejected",
    401: "ModelKeyRejected",
    403: "ModelAccessDenied",
    404: "ModelNotFound",
}
_TRANSIENT_CODES = {"server_error", "rate_limit_exceeded"}


@activity.defn
async def check_model(check: ModelCheck) -> str:
    """The configured model's name. Raises ApplicationError `ModelNotConfigured`, not retryable."""
    settings = load_settings()
    _configured_key(settings)
    return settings.openai_model


@activity.defn
async def ask_model(request: ModelRequest) -> ModelReply:
    """Ask the configured model and return what it says, with tokens and cost.

    Raises ApplicationError. Not retryable: `ModelNotConfigured`, `ModelKeyRejected`,
    `ModelAccessDenied`, `ModelNotFound`, `ModelRequestRejected`, `ModelQuotaExhausted`. Retryable:
    `ModelRateLimited` and `ModelUnavailable`, after the time that the service asks for, and
    `ModelReplyUnreadable`. No error shows the key.
    """
    settings = load_settings()
    key = _configured_key(settings)
    prompt = (await get_bytes(request.prompt)).decode("utf-8", "replace")
    try:
        response = await heartbeating(_ask(settings, key, request, prompt), settings.openai_model)
        return _read(response, settings.openai_model)
    except openai.APIStatusError as error:
        failure = _status_failure(error, key)
    except openai.APITimeoutError:
        seconds = settings.openai_timeout
        failure = _transient("ModelUnavailable", f"the model did not answer in {seconds:g} s")
    except openai.APIConnectionError:
        failure = _transient("ModelUnavailable", "the model's address cannot be reached")
    except (openai.OpenAIError, ValueError, TypeError, AttributeError):
        reason = "the model's answer is not a Responses API object"
        failure = _transient("ModelReplyUnreadable", reason)
    # Raised outside of the handlers: their errors hold the request with its key.
    raise failure


def _configured_key(settings: Settings) -> str:
    key = "" if settings.openai_api_key is None else settings.openai_api_key.get_secret_value()
    if not key.strip():
        raise _refused("ModelNotConfigured", "OPENAI_API_KEY is not set")
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise _refused("ModelNotConfigured", "OPENAI_API_KEY holds characters that no key has")
    base_url = settings.openai_base_url
    if base_url is not None and not base_url.startswith(("http://", "https://")):
        raise _refused("ModelNotConfigured", "OPENAI_BASE_URL is not an http or https address")
    return key


async def _ask(settings: Settings, key: str, request: ModelRequest, prompt: str) -> Response:
    given: str | ResponseInputParam = prompt
    if request.previous is not None:
        given = [
            {"role": "user", "content": prompt},
            {"role": "assistant", "content": request.previous.reply},
            {"role": "user", "content": request.previous.feedback},
        ]
    async with openai.AsyncOpenAI(
        api_key=key,
        base_url=settings.openai_base_url,
        max_retries=0,
        timeout=settings.openai_timeout,
    ) as client:
        return await client.responses.create(
            model=settings.openai_model,
            instructions=request.instructions,
            input=given,
            store=False,
        )


def _read(response: Response, asked_model: str) -> ModelReply:
    # The client builds the object without checking it, and hands over plain text as it came.
    if not isinstance(response, Response) or not isinstance(response.output, list):
        raise TypeError("not a response")
    if response.error is not None:
        raise _response_failure(response)
    text, malformed = _text(response), ""
    if len(text.encode()) > MOST_REPLY_BYTES:
        text = text.encode()[:MOST_REPLY_BYTES].decode("utf-8", "ignore")
        malformed = f"the reply is longer than {MOST_REPLY_BYTES:,} bytes; answer with less"
    elif response.incomplete_details is not None:
        malformed = f"the reply is incomplete: {response.incomplete_details.reason or 'cut off'}"
    usage = response.usage
    tokens_in = (usage.input_tokens or 0) if usage else 0
    tokens_out = (usage.output_tokens or 0) if usage else 0
    model = response.model or asked_model
    return ModelReply(
        text=text,
        model=model,
        input_tokens=tokens_in,
        output_tokens=tokens_out,
        cost_usd=cost_usd(model, tokens_in, tokens_out),
        malformed=malformed,
    )


def _text(response: Response) -> str:
    refusals = [
        content.refusal
        for item in response.output
        if item.type == "message"
        for content in item.content
        if content.type == "refusal"
    ]
    return response.output_text or "\n".join(refusals)


def _response_failure(response: Response) -> ApplicationError:
    code = response.error.code if response.error else ""
    if code in _TRANSIENT_CODES:
        return _transient("ModelUnavailable", f"the model failed: {code}")
    return _refused("ModelRequestRejected", f"the model refused the request: {code}")


def _status_failure(error: openai.APIStatusError, key: str) -> ApplicationError:
    status = error.status_code
    if status == 401:
        return _refused(_REFUSED[status], "the model's service rejects OPENAI_API_KEY (401)")
    detail = _detail(error, key)
    if error.code == "insufficient_quota":
        return _refused("ModelQuotaExhausted", f"the account's quota is used up ({status})")
    if status in _TRANSIENT or status >= 500:
        name = "ModelRateLimited" if status == 429 else "ModelUnavailable"
        wait = retry_after(error.response.headers, datetime.now(UTC))
        return _transient(name, f"the model's service answered {status}: {detail}", wait)
    name = _REFUSED.get(status, "ModelRequestRejected")
    return _refused(name, f"the model's service answered {status}: {detail}")


def _detail(error: openai.APIStatusError, key: str) -> str:
    body = error.body
    message = body.get("message") if isinstance(body, dict) else None
    text = str(message or error.response.reason_phrase or "no reason given")
    return redact(" ".join(text.replace(key, "[redacted]").split()))[:_LONGEST_DETAIL]


def retry_after(headers: "Mapping[str, str]", now: datetime) -> timedelta | None:
    """How long the service asks to wait, at most an hour; None when it does not say.

    Reads `retry-after-ms`, then `retry-after` in seconds or as an HTTP date (RFC 9110, 10.2.3).
    """
    milliseconds = _positive(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return min(timedelta(milliseconds=milliseconds), _LONGEST_WAIT)
    value = headers.get("retry-after", "")
    seconds = _positive(value)
    if seconds is None:
        try:
            date = parsedate_to_datetime(value)
        except (TypeError, ValueError):
            return None
        aware = date if date.tzinfo else date.replace(tzinfo=UTC)
        seconds = (aware - now).total_seconds()
    if seconds <= 0:
        return None
    return timedelta(seconds=min(seconds, _LONGEST_WAIT.total_seconds()))


def _positive(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 < number < 1e9 else None


def _refused(name: str, reason: str) -> ApplicationError:
    return ApplicationError(reason, type=name, non_retryable=True)


def _transient(name: str, reason: str, wait: timedelta | None = None) -> ApplicationError:
    return ApplicationError(reason, type=name, next_retry_delay=wait)
