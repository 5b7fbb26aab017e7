"""How long a service asks to be left alone."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_LONGEST_WAIT = timedelta(hours=1)


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
