"""Which runs `regreen list` shows, as a query for Temporal's visibility store."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import get_args

from regreen.contracts.run import RunState
from regreen.errors import UsageError
from workflows import search_attributes

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGE = re.compile(r"(\d{1,5})([mhdw])")


@dataclass(frozen=True)
class RunFilter:
    """What is named must be so; what is empty may be anything."""

    repository: str = ""
    ref: str = ""
    states: tuple[str, ...] = ()
    """Any of them."""
    since: str = ""
    """An age such as `24h`, `7d`, `2w`, or a date or time by ISO 8601, UTC without a zone."""


def query_of(wanted: RunFilter, now: datetime) -> str:
    """The visibility query for these runs.

    Raises UsageError for a state that does not exist, a time that cannot be read and a name that
    cannot be searched for.
    """
    parts = ["WorkflowType = 'PipelineWorkflow'"]
    if wanted.repository:
        parts.append(f"{search_attributes.REPOSITORY.name} = {_quoted(wanted.repository)}")
    if wanted.ref:
        parts.append(f"{search_attributes.REF.name} = {_quoted(wanted.ref)}")
    for state in wanted.states:
        if state not in get_args(RunState):
            raise UsageError(f"no state `{state}`; states: {', '.join(get_args(RunState))}")
    if wanted.states:
        states = ", ".join(_quoted(state) for state in wanted.states)
        parts.append(f"{search_attributes.STATE.name} IN ({states})")
    if wanted.since:
        since = _moment(wanted.since, now).astimezone(UTC).isoformat(timespec="seconds")
        parts.append(f"StartTime >= '{since.replace('+00:00', 'Z')}'")
    return " AND ".join(parts)


def _quoted(value: str) -> str:
    # Temporal's SQL visibility finds nothing for such a value, however it is escaped.
    if '"' in value:
        raise UsageError(f"runs cannot be searched for a name with a double quote: {value}")
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _moment(text: str, now: datetime) -> datetime:
    try:
        if age := _AGE.fullmatch(text):
            return now - timedelta(**{_UNITS[age[2]]: int(age[1])})
        moment = datetime.fromisoformat(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise UsageError(
            f"--since: `{text}` is neither an age such as 30m, 24h, 7d, 2w nor a time such as "
            "2026-11-01 or 2026-11-01T08:00"
        ) from error
    return moment
