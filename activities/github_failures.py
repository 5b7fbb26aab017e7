"""What an answer of GitHub's that is no success means for the step that asked."""

import time
from datetime import timedelta

from github import GithubException
from temporalio.exceptions import ApplicationError

_LONGEST = timedelta(hours=1)
_UNSAID = timedelta(minutes=1)
_FOR_GOOD = (400, 404, 410, 422)


def explained(error: GithubException, subject: str) -> ApplicationError:
    """The error for Temporal: `subject` and GitHub's own message in one line.

    `ForgeLimited`, `ForgeDenied` and `ForgeUnreachable` may pass, and are tried again, the first
    when GitHub says. `ForgeRefused` does not pass and is not retryable.
    """
    message = f"{subject}: GitHub answered {error.status}: {_said(error)}"[:500]
    delay = limit_delay(error)
    if delay is not None:
        return ApplicationError(message, type="ForgeLimited", next_retry_delay=delay)
    if error.status in (401, 403):
        return ApplicationError(message, type="ForgeDenied")
    if error.status in _FOR_GOOD:
        return ApplicationError(message, type="ForgeRefused", non_retryable=True)
    return ApplicationError(message, type="ForgeUnreachable")


def limit_delay(error: GithubException) -> timedelta | None:
    """How long to wait, an hour at most, if GitHub answered that it was asked too much.

    https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api says in which
    order its headers count, and to wait a minute when there are none.
    """
    headers = {name.lower(): str(value) for name, value in (error.headers or {}).items()}
    waits, left = headers.get("retry-after", ""), headers.get("x-ratelimit-remaining")
    named = "rate limit" in _said(error).lower()
    if error.status not in (403, 429, 503) or not (waits or left == "0" or named):
        return None
    reset = headers.get("x-ratelimit-reset", "")
    if waits.isdigit():
        delay = timedelta(seconds=int(waits))
    elif left == "0" and reset.isdigit():
        delay = timedelta(seconds=int(reset) - int(time.time()))
    else:
        delay = _UNSAID
    return min(max(delay, timedelta(seconds=1)), _LONGEST)


def _said(error: GithubException) -> str:
    data = error.data if isinstance(error.data, dict) else {}
    said = [data.get("message") or type(error).__name__]
    for detail in data.get("errors") or []:
        said.append(detail.get("message") or " ".join(map(str, detail.values())))
    return "; ".join(map(str, said))
