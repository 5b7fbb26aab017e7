"""The chain of an audit record: what is done to any line shows, and at which line."""

import hashlib
import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from activities.audit_chain import SEALED, entries_of, extended, first_broken, header_of
from regreen.contracts.audit import AuditEvent, AuditHeader

HEADER = AuditHeader(
    repository="acme/shop", commit="c" * 40, workflow_id="pipeline/acme/shop/c", run_id="run-1"
)


def _event(number: int, **more: object) -> AuditEvent:
    known = {
        "time": f"2026-01-05T09:00:{number % 60:02}+00:00",
        "actor": "regreen",
        "action": "stage-ended",
        "detail": f"stage {number} passed",
        "fields": {"stage": f"stage-{number}", "seconds": 1.5},
    }
    return AuditEvent.model_validate(known | more)


EVENTS = [_event(number) for number in range(1, 6)]
SEAL = _event(6, action=SEALED, fields={})
RECORD = extended(b"", HEADER, [*EVENTS, SEAL])
"""Seven lines: the header, five events, the seal."""


def test_each_line_holds_the_digest_of_the_one_before_it() -> None:
    lines = RECORD.splitlines(keepends=True)
    assert len(lines) == 7
    assert header_of(RECORD) == HEADER
    for number, line in enumerate(lines[1:], start=1):
        entry = json.loads(line)
        assert entry["sequence"] == number
        assert entry["previous"] == hashlib.sha256(lines[number - 1]).hexdigest()
        canonical = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert line == f"{canonical}\n".encode()
    assert first_broken(RECORD) is None
    assert [entry["action"] for entry in entries_of(RECORD)] == ["stage-ended"] * 5 + [SEALED]


@pytest.mark.parametrize("cut", range(6))
def test_a_record_is_the_same_however_it_was_appended_to(cut: int) -> None:
    begun = extended(b"", HEADER, EVENTS[:cut])
    assert extended(begun, HEADER, [*EVENTS[cut:], SEAL]) == RECORD
    assert RECORD.startswith(begun)


def test_what_is_about_another_run_is_not_appended_to() -> None:
    other = HEADER.model_copy(update={"run_id": "run-2"})
    with pytest.raises(ValueError, match="another run"):
        extended(RECORD, other, EVENTS)
    assert extended(b"", other, EVENTS) != extended(b"", HEADER, EVENTS)


def _swapped(lines: list[bytes]) -> list[bytes]:
    return [*lines[:2], lines[3], lines[2], *lines[4:]]


def _rewritten(lines: list[bytes], number: int, **changes: object) -> list[bytes]:
    entry = json.loads(lines[number - 1]) | changes
    text = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return [*lines[: number - 1], f"{text}\n".encode(), *lines[number:]]


@pytest.mark.parametrize(
    ("tamper", "line", "why"),
    [
        (
            lambda lines: _rewritten(lines, 3, actor="mallory"),
            3,
            "is not the one that line 4 follows",
        ),
        (
            lambda lines: _rewritten(lines, 1, run_id="run-2"),
            1,
            "is not the one that line 2 follows",
        ),
        (lambda lines: [*lines[:3], *lines[4:]], 4, "has the sequence number 4 and not 3"),
        (lambda lines: lines[1:], 1, "does not name the format"),
        (_swapped, 3, "has the sequence number 3 and not 2"),
        (
            lambda lines: [*lines[:3], lines[2], *lines[3:]],
            4,
            "has the sequence number 2 and not 3",
        ),
        (lambda lines: [*lines[:-1], lines[-1][:-9]], 7, "is cut off"),
        (lambda lines: [*lines, lines[1]], 8, "comes after the seal"),
        (lambda lines: [*lines[:2], b"\n", *lines[2:]], 3, "is not a JSON object"),
        (lambda lines: [*lines[:2], b"[1]\n", *lines[2:]], 3, "is not a JSON object"),
        (lambda lines: [*lines[:2], b"{}\n", *lines[2:]], 3, "is not written as Regreen writes it"),
        (
            lambda lines: [*lines[:2], lines[2].replace(b'":', b'": ', 1), *lines[3:]],
            3,
            "is not written as Regreen writes it",
        ),
        (lambda lines: [*lines[:2], b"\xff\xfe\n", *lines[3:]], 3, "is not a JSON object"),
        (lambda lines: [b'{"format":"another/1"}\n', *lines[1:]], 1, "does not name the format"),
        (lambda lines: [], 1, "does not name the format"),
        (lambda lines: [b"[" * 100_000 + b"\n"], 1, "does not name the format"),
    ],
)
def test_the_first_broken_line_is_named(
    tamper: Callable[[list[bytes]], list[bytes]], line: int, why: str
) -> None:
    broken = first_broken(b"".join(tamper(RECORD.splitlines(keepends=True))))
    assert broken is not None
    assert broken.line == line
    assert why in broken.why


def test_what_comes_after_the_seal_is_broken() -> None:
    broken = first_broken(extended(RECORD, HEADER, [_event(7)]))
    assert broken is not None
    assert (broken.line, broken.why) == (8, "comes after the seal")


@given(place=st.integers(0, len(RECORD) - 1), bit=st.integers(0, 7))
def test_no_bit_of_a_followed_line_can_change_unnoticed(place: int, bit: int) -> None:
    last = RECORD.rstrip(b"\n").rindex(b"\n")
    changed = bytearray(RECORD)
    changed[place] ^= 1 << bit
    # Nothing follows the last line: for that there is the signature.
    assert (first_broken(bytes(changed)) is not None) or place > last


@given(st.text(), st.dictionaries(st.text(min_size=1), st.text()))
def test_any_text_makes_one_line_that_can_be_read_back(detail: str, more: dict[str, str]) -> None:
    fields = {f"x-{key}": value for key, value in more.items()}
    record = extended(b"", HEADER, [_event(1, detail=detail, fields=fields), SEAL])
    assert first_broken(record) is None
    assert record.count(b"\n") == 3


def test_secrets_and_what_steers_a_terminal_are_taken_out() -> None:
    token = "ghp_" + "a1" * 18
    event = _event(
        1, detail=f"\x1b[31mtoken {token}\nand more", actor="Ada\x07", fields={"a": [token]}
    )
    [entry] = entries_of(extended(b"", HEADER, [event]))
    assert entry["detail"] == "token [redacted] and more"
    assert entry["actor"] == "Ada"
    assert entry["a"] == ["[redacted]"]


def test_an_event_cannot_forge_what_makes_the_chain() -> None:
    with pytest.raises(ValidationError, match="previous, sequence"):
        _event(1, fields={"sequence": 9, "previous": "0" * 64})
