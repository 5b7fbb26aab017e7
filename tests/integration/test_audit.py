"""The audit record in the artifact store, sealed and signed with the real cosign."""

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError

from activities import cosign
from activities.artifact_store import get_bytes
from activities.audit import append_audit, find_records, seal_audit
from activities.audit_chain import SEALED, entries_of, extended
from activities.audit_verification import Evidence, KnownRun, verify_audit
from activities.cosign_check import TRUSTED_ROOT, offers
from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.audit import AuditAppend, AuditEvent, AuditHeader, AuditRecord, AuditSeal
from regreen.errors import EXIT_FAILED, EXIT_OK, UsageError
from regreen.settings import load_settings
from regreen.tools.locate import find
from starters.audit_command import audit
from tests.integration.wheel_project import need

HEADER = AuditHeader(
    repository="acme/shop",
    commit="c0ffee" + "0" * 34,
    workflow_id="pipeline/acme/shop/c0ffee" + "0" * 34,
    run_id="01900000-0000-7000-8000-000000000001",
)
RUN = KnownRun(HEADER.workflow_id, HEADER.run_id, "rejected", ended=True)
AT = "2026-01-05T09:00:00+00:00"


def _event(action: str, actor: str = "regreen", **fields: str) -> AuditEvent:
    return AuditEvent(time=AT, actor=actor, action=action, detail="said so", fields=dict(fields))


STARTED, REJECTED = _event("run-started"), _event("rejected", "release-manager")
ENDED = _event("run-ended", state="rejected")


@pytest.fixture(autouse=True)
def _state(own_state: Path) -> None:
    """A store of each test's own."""


async def _seal(header: AuditHeader = HEADER, *events: AuditEvent) -> AuditRecord:
    begun = await append_audit(AuditAppend(header=header, events=(STARTED,)))
    told = events or (REJECTED, ENDED)
    return await seal_audit(AuditSeal(header=header, previous=begun, events=told, sealed_at=AT))


async def _evidence(record: AuditRecord) -> Evidence:
    async def content(ref: ArtifactRef | None) -> bytes | None:
        return None if ref is None else await get_bytes(ref)

    assert record.record is not None
    return Evidence(
        await get_bytes(record.record),
        await content(record.bundle),
        await content(record.public_key),
    )


async def test_the_same_append_gives_the_same_record() -> None:
    first = AuditAppend(header=HEADER, events=(STARTED,))
    begun = await append_audit(first)
    assert await append_audit(first) == begun
    second = AuditAppend(header=HEADER, previous=begun, events=(REJECTED, ENDED))
    grown = await append_audit(second)
    assert await append_audit(second) == grown
    before, after = await get_bytes(begun), await get_bytes(grown)
    assert after.startswith(before)
    assert [entry["action"] for entry in entries_of(after)] == [
        "run-started",
        "rejected",
        "run-ended",
    ]


async def test_the_record_of_another_run_is_not_appended_to() -> None:
    begun = await append_audit(AuditAppend(header=HEADER, events=(STARTED,)))
    other = HEADER.model_copy(update={"run_id": "another"})
    with pytest.raises(ApplicationError, match="about another run") as caught:
        await append_audit(AuditAppend(header=other, previous=begun, events=(ENDED,)))
    assert caught.value.non_retryable
    gone = ArtifactRef(name="audit.jsonl", sha256="0" * 64, bytes=1)
    with pytest.raises(ApplicationError, match="not in the store"):
        await append_audit(AuditAppend(header=HEADER, previous=gone, events=(ENDED,)))


async def test_a_sealed_record_is_signed_and_sealing_again_gives_the_same() -> None:
    need("cosign")
    sealed = await _seal()
    assert (sealed.sealed, sealed.unsigned, sealed.problem) == (True, "", "")
    assert await _seal() == sealed
    evidence = await _evidence(sealed)
    assert entries_of(evidence.record)[-1]["action"] == SEALED
    found = verify_audit(evidence, RUN)
    assert (found.ok, found.sealed, found.signed, found.pinned) == (True, True, True, False)
    assert found.summary == "5 lines, whole, sealed and signed by its own key"
    trusted = Evidence(evidence.record, evidence.bundle, trusted_key=evidence.public_key)
    assert verify_audit(trusted).pinned


def _without_last(record: bytes) -> bytes:
    return record[: record.rstrip(b"\n").rindex(b"\n") + 1]


@pytest.mark.parametrize(
    ("tamper", "line", "why"),
    [
        (lambda record: record.replace(b"release-manager", b"mallory"), 3, "line 4 follows"),
        (lambda record: record.replace(b"signed with", b"sighed with"), 0, "not its own"),
        (_without_last, 0, "ends without its seal"),
        (lambda record: extended(b"", HEADER, [STARTED, ENDED, _event(SEALED)]), 0, "not its own"),
        (lambda record: record[:-20], 5, "is cut off"),
        (lambda record: extended(b"", HEADER, [STARTED, _event(SEALED)]), 0, "0 times"),
    ],
    ids=["changed", "last line changed", "truncated", "made anew", "cut off", "no end"],
)
async def test_what_was_tampered_with_does_not_verify(
    tamper: Callable[[bytes], bytes], line: int, why: str
) -> None:
    need("cosign")
    evidence = await _evidence(await _seal())
    changed = tamper(evidence.record)
    assert changed != evidence.record
    found = verify_audit(Evidence(changed, evidence.bundle, evidence.public_key))
    assert (found.ok, found.signed, found.broken_line) == (False, False, line)
    assert why in found.summary


async def test_the_signature_of_another_record_or_key_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need("cosign")
    mine = await _evidence(await _seal())
    other = await _evidence(await _seal(HEADER, ENDED))
    found = verify_audit(Evidence(mine.record, other.bundle, mine.public_key))
    assert (found.ok, "not its own" in found.summary) == (False, True)
    monkeypatch.setenv("REGREEN_STATE", str(tmp_path / "mallory"))
    forged = await _evidence(await _seal())
    assert verify_audit(forged).ok
    pinned = Evidence(forged.record, forged.bundle, forged.public_key, mine.public_key)
    assert not verify_audit(pinned).ok
    assert verify_audit(Evidence(mine.record, None, mine.public_key)).summary == (
        "is signed, and its signature is missing"
    )


@pytest.mark.parametrize(
    ("run", "why"),
    [
        (KnownRun(HEADER.workflow_id, "another", "rejected", ended=True), "about another run"),
        (KnownRun(HEADER.workflow_id, HEADER.run_id, "passed", ended=True), "Temporal says passed"),
    ],
)
async def test_a_record_that_is_not_the_runs_does_not_verify(run: KnownRun, why: str) -> None:
    need("cosign")
    found = verify_audit(await _evidence(await _seal()), run)
    assert (found.ok, why in found.summary) == (False, True)


async def test_the_record_of_a_run_that_goes_on_is_whole_so_far() -> None:
    begun = await append_audit(AuditAppend(header=HEADER, events=(STARTED,)))
    evidence = await _evidence(AuditRecord(record=begun))
    going_on = KnownRun(HEADER.workflow_id, HEADER.run_id, "waiting", ended=False)
    found = verify_audit(evidence, going_on)
    assert (found.ok, found.sealed) == (True, False)
    assert found.summary == "2 lines, whole so far; the run has not ended"
    assert not verify_audit(evidence, RUN).ok


async def test_without_cosign_the_record_says_why_it_is_not_signed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cosign, "find", lambda name: None)
    sealed = await _seal()
    assert (sealed.sealed, sealed.bundle, sealed.unsigned) == (True, None, cosign.COSIGN_MISSING)
    evidence = await _evidence(sealed)
    assert entries_of(evidence.record)[-1]["unsigned"] == cosign.COSIGN_MISSING
    found = verify_audit(evidence, RUN)
    assert (found.ok, found.signed) == (True, False)
    assert "NOT SIGNED: cosign not found" in found.summary
    assert not verify_audit(Evidence(evidence.record, trusted_key=b"key")).ok


async def test_a_key_that_cannot_be_used_leaves_a_record_that_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need("cosign")
    monkeypatch.setenv("REGREEN_SIGNING_KEY", str(tmp_path / "gone.key"))
    sealed = await _seal()
    assert sealed.sealed
    assert sealed.bundle is None
    assert "no such file" in sealed.unsigned


async def test_a_sealed_record_is_found_without_temporal(own_state: Path) -> None:
    sealed = await _seal()
    rerun = HEADER.model_copy(update={"run_id": "01900000-0000-7000-8000-000000000002"})
    again = await _seal(rerun)
    for name in (HEADER.workflow_id, HEADER.commit, "c0ff", "pipeline/acme"):
        assert [each.header.run_id for each in await find_records(name)] == [
            rerun.run_id,
            HEADER.run_id,
        ], name
    assert [each.record for each in await find_records(HEADER.run_id)] == [sealed]
    assert [each.record for each in await find_records(rerun.run_id)] == [again]
    assert await find_records("heal/acme/shop/c0ffee") == []
    assert await find_records("beef") == []
    place = own_state / "artifacts" / "audit" / HEADER.commit / f"{HEADER.run_id}.json"
    place.write_text("{", "utf-8")
    assert await find_records(HEADER.run_id) == []


async def _exported(folder: Path) -> Path:
    """A record as `--export` leaves it."""
    evidence = await _evidence(await _seal())
    path = folder / "audit.jsonl"
    path.write_bytes(evidence.record)
    for suffix, content in ((".bundle", evidence.bundle), (".pub", evidence.public_key)):
        assert content is not None
        path.with_name(path.name + suffix).write_bytes(content)
    return path


async def _audit(path: Path, **options: object) -> int:
    known = {"verify": False, "key": None, "export": None, "json": False}
    return await audit(str(path), settings=load_settings(), **(known | options))  # type: ignore[arg-type]


async def test_an_exported_record_is_read_and_verified_offline(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    need("cosign")
    path = await _exported(tmp_path)
    assert await _audit(path, verify=True) == EXIT_OK
    shown = capsys.readouterr().out
    assert "2026-01-05 09:00:00" in shown
    assert "release-manager" in shown
    assert "verified: 5 lines, whole, sealed and signed by its own key" in shown
    assert all(len(line.rstrip()) <= 80 for line in shown.splitlines())
    key = path.with_name("audit.jsonl.pub")
    assert await _audit(path, key=key, export=tmp_path / "copy.jsonl", json=True) == EXIT_OK
    document = json.loads(capsys.readouterr().out)
    assert document["header"] == HEADER.model_dump()
    assert [line["sequence"] for line in document["lines"]] == [1, 2, 3, 4]
    assert document["verification"]["pinned"] is True
    assert (tmp_path / "copy.jsonl").read_bytes() == path.read_bytes()
    assert await _audit(tmp_path / "copy.jsonl", verify=True) == EXIT_OK
    path.write_bytes(path.read_bytes().replace(b"release-manager", b"mallory"))
    capsys.readouterr()
    assert await _audit(path, verify=True) == EXIT_FAILED
    assert "NOT VERIFIED: line 3 is not the one that line 4 follows" in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"{}\n", b"\x00\xff", b"not a record\n"])
async def test_a_file_that_is_no_record_is_refused_with_one_line(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "audit.jsonl"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="is not an audit record"):
        await _audit(path)
    assert await _audit(path, verify=True) == EXIT_FAILED
    with pytest.raises(UsageError, match="no such public key"):
        await _audit(path, key=tmp_path / "gone.pub")


async def test_the_commands_of_the_page_verify_a_record_by_hand(tmp_path: Path) -> None:
    need("cosign")
    await _exported(tmp_path)
    page = (Path(__file__).parents[2] / "docs" / "audit.md").read_text("utf-8")
    by_hand = page.partition("\n## By hand\n")[2].partition("\n## ")[0]
    chain, signature = re.findall(r"```sh\n(.*?)```", by_hand, re.DOTALL)
    program = find("cosign")
    assert program is not None
    assert TRUSTED_ROOT["mediaType"] in signature
    if not offers(program, "verify-blob", "--new-bundle-format"):
        signature = signature.replace(" --new-bundle-format", "")
    environment = {"HOME": str(tmp_path), "PATH": f"{program.parent}{os.pathsep}{os.defpath}"}

    def said(script: str) -> str:
        done = subprocess.run(
            ["sh", "-c", script], cwd=tmp_path, env=environment, capture_output=True, check=False
        )
        return (done.stdout + done.stderr).decode()

    assert said(chain) == "whole: 5 lines\n"
    assert "Verified OK" in said(signature)
    record = tmp_path / "audit.jsonl"
    record.write_bytes(record.read_bytes().replace(b"release-manager", b"mallory"))
    assert said(chain) == "broken before line 4\n"
    assert "Verified OK" not in said(signature)
