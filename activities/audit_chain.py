"""The lines of an audit record: how they follow each other, and where a chain is broken.

A record is JSON Lines. The first line names the run, each other one holds the SHA-256 of the line
before it, line feed included. `docs/audit.md` describes the format.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from activities.healing.redaction import redact
from regreen.contracts.audit import CHAIN_FIELDS, AuditEvent, AuditHeader
from regreen.printable import one_line_of

FORMAT = "regreen-audit/1"
RECORD_FILE = "audit.jsonl"
SEALED = "record-sealed"
"""The action of a record's last line."""


@dataclass(frozen=True)
class Broken:
    """The first line of a record that is not what it was."""

    line: int
    """1-based, as `sed -n` counts."""
    why: str


def extended(record: bytes, header: AuditHeader, events: Iterable[AuditEvent]) -> bytes:
    """The record with lines for these events at its end; an empty one begins with the header.

    Text loses what looks like a secret, and what a terminal would obey. Raises ValueError when the
    record is not about the header's run.
    """
    first = _line({"format": FORMAT, **header.model_dump()})
    lines = _lines(record) or [first]
    if lines[0] != first:
        raise ValueError("the record is about another run")
    for event in events:
        chained = {
            "sequence": len(lines),
            "time": event.time,
            "previous": hashlib.sha256(lines[-1]).hexdigest(),
        }
        told = event.model_dump(mode="json", include={"actor", "action", "detail"})
        lines.append(_line(_clean({**event.fields, **told}) | chained))
    return b"".join(lines)


def header_of(record: bytes) -> AuditHeader:
    """The run that a record is about. Raises ValueError when it does not begin as one."""
    first = _parsed(record.partition(b"\n")[0])
    if first is None or first.pop("format", None) != FORMAT:
        raise ValueError(f"the first line does not name the format {FORMAT}")
    return AuditHeader.model_validate(first)


def entries_of(record: bytes) -> list[dict[str, Any]]:
    """Every line after the header that is a JSON object, as it stands."""
    parsed = [_parsed(line) for line in record.split(b"\n")[1:]]
    return [entry for entry in parsed if entry is not None]


def first_broken(record: bytes) -> Broken | None:
    """Where the chain is broken first; None when every line follows the one before it.

    That nothing was cut off at the end, and that nobody wrote all of it anew, the chain itself
    cannot show: see the seal and the signature.
    """
    try:
        header_of(record)
    except ValueError as error:
        why = str(error).splitlines()[0]
        return Broken(1, why)
    if not record.endswith(b"\n"):
        return Broken(record.count(b"\n") + 1, "is cut off")
    lines = _lines(record)
    for number, line in enumerate(lines[1:], start=2):
        entry = _parsed(line)
        if entry is None:
            return Broken(number, "is not a JSON object")
        if not entry.keys() >= CHAIN_FIELDS or line != _line(entry):
            return Broken(number, "is not written as Regreen writes it")
        if entry["sequence"] != number - 1:
            found = f"has the sequence number {entry['sequence']} and not {number - 1}"
            return Broken(number, f"{found}: lines were removed, inserted or moved")
        if entry["previous"] != hashlib.sha256(lines[number - 2]).hexdigest():
            return Broken(number - 1, f"is not the one that line {number} follows")
        if entry["action"] == SEALED and number != len(lines):
            return Broken(number + 1, "comes after the seal")
    return None


def _lines(record: bytes) -> list[bytes]:
    """The whole lines, each with its line feed; nothing else ends a line."""
    return [line + b"\n" for line in record.split(b"\n")[:-1]]


def _line(entry: dict[str, Any]) -> bytes:
    text = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"{text}\n".encode("utf-8", "backslashreplace")


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        parsed = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return redact(one_line_of(value))
    if isinstance(value, dict):
        return {key: _clean(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_clean(each) for each in value]
    return value
