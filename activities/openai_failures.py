"""What can go wrong between us and a model's service, as errors that Temporal retries or not."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.healing.redaction import redact
from activities.retry_after import retry_after
from regreen.printable import one_line_of

if TYPE_CHECKING:
    import openai
    from openai.types.responses import Response

_LONGEST_DETAIL = 300
_MOST_TRIES_UNANSWERED = 3
_TRANSIENT = {408, 409, 425, 429}
_REFUSED = {
    400: "ModelRequestRejected",
    401: "ModelKeyRejected",
    403: "ModelAccessDenied",
    404: "ModelNotFound",
}
_TRANSIENT_CODES = {"server_error", "rate_limit_exceeded"}


def response_failure(response: "Response") -> ApplicationError:
    """Of a response that says that it failed."""
    code = response.error.code if response.error else ""
    if code in _TRANSIENT_CODES:
        return transient("ModelUnavailable", f"the model failed: {one_line_of(str(code))[:60]}")
    return refused(
        "ModelRequestRejected", f"the model refused the request: {one_line_of(str(code))[:60]}"
    )


def status_failure(error: "openai.APIStatusError", key: str) -> ApplicationError:
    """Of an answer with an HTTP status that is no success. The message does not show the key."""
    status = error.status_code
    if status == 401:
        return refused(_REFUSED[status], "the model's service rejects OPENAI_API_KEY (401)")
    detail = _detail(error, key)
    if error.code == "insufficient_quota":
        return refused("ModelQuotaExhausted", f"the account's quota is used up ({status})")
    if status in _TRANSIENT or status >= 500:
        name = "ModelRateLimited" if status == 429 else "ModelUnavailable"
        wait = retry_after(error.response.headers, datetime.now(UTC))
        return transient(name, f"the model's service answered {status}: {detail}", wait)
    name = _REFUSED.get(status, "ModelRequestRejected")
    return refused(name, f"the model's service answered {status}: {detail}")


def _detail(error: "openai.APIStatusError", key: str) -> str:
    body = error.body
    message = body.get("message") if isinstance(body, dict) else None
    text = str(message or error.response.reason_phrase or "no reason given")
    return redact(one_line_of(text.replace(key, "[redacted]")))[:_LONGEST_DETAIL]


def refused(name: str, reason: str) -> ApplicationError:
    """A failure that trying again does not mend."""
    return ApplicationError(reason, type=name, non_retryable=True)


def transient(name: str, reason: str, wait: timedelta | None = None) -> ApplicationError:
    """A failure that passes, perhaps after `wait`."""
    return ApplicationError(reason, type=name, next_retry_delay=wait)


def unanswered(name: str, reason: str) -> ApplicationError:
    """A request that may have been charged although its answer was lost: three tries at most."""
    tries = activity.info().attempt
    final = tries >= _MOST_TRIES_UNANSWERED
    told = f"{reason} ({tries} tries)" if final else reason
    return ApplicationError(told, type=name, non_retryable=final)
