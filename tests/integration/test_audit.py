"""The audit record: each event once, whole lines also after a crash."""

import asyncio
import json
from pathlib import Path

from activities.audit import AuditEvent, record_audit_event


def _event(key: str, actor: str = "release-manager") -> AuditEvent:
    return AuditEvent(
        repository="local/shop",
        commit="c0ffee",
        key=key,
        time="2026-01-05T09:00:00+00:00",
        actor=actor,
        action="approved",
        detail='said "yes"\nand more',
    )


def _path(state: Path) -> Path:
    return state / "audit" / "local" / "shop" / "c0ffee.jsonl"


async def test_an_event_is_one_line_of_json(own_state: Path) -> None:
    await record_audit_event(_event("run/decision"))

    lines = _path(own_state).read_text("utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [_event("run/decision").model_dump()]


async def test_the_same_key_is_written_once_and_the_first_stands(own_state: Path) -> None:
    await record_audit_event(_event("run/decision", "release-manager"))
    await record_audit_event(_event("run/reminder", "regreen"))
    await record_audit_event(_event("run/decision", "mallory"))

    lines = _path(own_state).read_text("utf-8").splitlines()
    assert [json.loads(line)["actor"] for line in lines] == ["release-manager", "regreen"]


async def test_many_writers_lose_nothing(own_state: Path) -> None:
    keys = [f"run/{number}" for number in range(20)]

    await asyncio.gather(*(record_audit_event(_event(key)) for key in keys * 2))

    lines = _path(own_state).read_text("utf-8").splitlines()
    assert sorted(json.loads(line)["key"] for line in lines) == sorted(keys)


async def test_half_a_line_of_a_crash_spoils_neither_what_was_nor_what_comes(
    own_state: Path,
) -> None:
    await record_audit_event(_event("run/first"))
    whole = _path(own_state).read_bytes()
    _path(own_state).write_bytes(whole + _event("run/second").model_dump_json().encode()[:40])

    await record_audit_event(_event("run/second"))
    await record_audit_event(_event("run/second"))

    content = _path(own_state).read_bytes()
    assert content.startswith(whole)
    lines = content.splitlines()
    assert len(lines) == 3
    assert json.loads(lines[2])["key"] == "run/second"
