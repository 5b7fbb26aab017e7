"""`regreen audit`: the audit record of a run, read, verified and exported."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from activities.artifact_store import get_bytes, local_path
from activities.audit import find_records
from activities.audit_chain import entries_of, header_of
from activities.audit_verification import Evidence, KnownRun, verify_audit
from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.audit import AuditRecord, AuditVerification
from regreen.errors import EXIT_FAILED, EXIT_OK, UsageError
from regreen.printable import one_line_of
from regreen.settings import Settings
from starters import runs
from starters.console import note, output, print_json
from workers.embedded import temporal

_WIDTH = 80
_ACTOR_WIDTH = 16
_MOST_BYTES = 64 << 20


@dataclass(frozen=True)
class _Found:
    """A record, and where it was found."""

    evidence: Evidence
    place: AuditRecord
    run: KnownRun | None = None


async def audit(
    name: str,
    *,
    verify: bool,
    key: Path | None,
    export: Path | None,
    json: bool,
    settings: Settings,
) -> int:
    """Print the record of a run or of an exported file; returns 1 when it does not verify.

    Raises UsageError when there is no such record, or a file that is none.
    """
    trusted = None if key is None else _content(key, "public key")
    found = _from_file(Path(name), trusted) if Path(name).is_file() else None
    if found is None:
        found = await _from_store(name, trusted, settings)
    verification = verify_audit(found.evidence, found.run) if verify or key else None
    if verification is None:
        try:
            header_of(found.evidence.record)
        except ValueError as error:
            why = str(error).splitlines()[0]
            raise UsageError(f"{name} is not an audit record: {why}") from error
    if export is not None:
        _write(export, found.evidence)
    if json:
        print_json(_document(found, verification, settings))
    else:
        _print(found, verification)
    return EXIT_OK if verification is None or verification.ok else EXIT_FAILED


def _from_file(path: Path, trusted: bytes | None) -> _Found:
    record = _content(path, "audit record")
    bundle, public = (_beside(path, suffix) for suffix in (".bundle", ".pub"))
    place = AuditRecord(record=_reference(path.name, record))
    return _Found(Evidence(record, bundle, public, trusted), place)


async def _from_store(name: str, trusted: bytes | None, settings: Settings) -> _Found:
    place, run = await _place_of(name, settings)
    if place.record is None:
        raise UsageError(f"{name} has no audit record yet; it is written when the source is there")
    record = await get_bytes(place.record)
    bundle = None if place.bundle is None else await get_bytes(place.bundle)
    public = None if place.public_key is None else await get_bytes(place.public_key)
    return _Found(Evidence(record, bundle, public, trusted), place, run)


async def _place_of(name: str, settings: Settings) -> tuple[AuditRecord, KnownRun | None]:
    async with temporal(settings, ui=False) as connection:
        try:
            identifier = await runs.find_run(connection.client, name)
            report = await runs.report_of(connection.client, identifier)
            ended = await runs.has_ended(connection.client, identifier)
        except UsageError:
            # The server may have forgotten a run whose record is still there.
            kept = await find_records(name)
            if not kept:
                raise
        else:
            kept = await find_records(name) if _is_run_id(name) else []
            if name == report.run_id or not kept:
                run = KnownRun(report.workflow_id, report.run_id, report.state, ended)
                return report.audit, run
    meant = sorted({each.header.workflow_id for each in kept})
    if len(meant) > 1:
        raise UsageError(f"`{name}` means {len(meant)} runs: {', '.join(meant[:3])}; say more")
    return kept[0].record, None


def _is_run_id(name: str) -> bool:
    # Of several runs of a commit the workflow's id means the last one, its own id each.
    return "/" not in name and name.count("-") == 4


def _write(path: Path, evidence: Evidence) -> None:
    try:
        path.write_bytes(evidence.record)
        for suffix, content in ((".bundle", evidence.bundle), (".pub", evidence.public_key)):
            beside = path.with_name(path.name + suffix)
            if content is None:
                beside.unlink(missing_ok=True)
            else:
                beside.write_bytes(content)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error


def _document(
    found: _Found, verification: AuditVerification | None, settings: Settings
) -> dict[str, Any]:
    def artifact(ref: ArtifactRef | None) -> dict[str, Any] | None:
        if ref is None:
            return None
        path = local_path(ref, settings.artifacts_url) if found.run else None
        return ref.model_dump() | {"path": None if path is None else str(path)}

    try:
        header = header_of(found.evidence.record).model_dump()
    except ValueError:
        header = None
    return {
        "header": header,
        "lines": entries_of(found.evidence.record),
        "record": artifact(found.place.record),
        "bundle": artifact(found.place.bundle),
        "public_key": artifact(found.place.public_key),
        "problem": found.place.problem,
        "verification": None if verification is None else verification.model_dump(),
    }


def _print(found: _Found, verification: AuditVerification | None) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("time", no_wrap=True)
    table.add_column("who", overflow="fold", max_width=_ACTOR_WIDTH)
    table.add_column("what", overflow="fold")
    for entry in entries_of(found.evidence.record):
        told = {key: one_line_of(str(value)) for key, value in entry.items()}
        time, action, detail = (told.get(key, "") for key in ("time", "action", "detail"))
        what = Text(f"{action}: {detail}" if detail else action)
        table.add_row(Text(time[:19].replace("T", " ")), Text(told.get("actor", "")), what)
    output.print(table, width=min(_WIDTH, output.width))
    if found.place.problem:
        note(found.place.problem)
    if verification is not None:
        verdict = "verified" if verification.ok else "NOT VERIFIED"
        style = "green" if verification.ok else "bold red"
        said = f"{verdict}: {verification.summary}"
        output.print(said, style=style, markup=False, highlight=False, soft_wrap=True)


def _content(path: Path, what: str) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{path}: no such {what} ({error.strerror})") from error
    if len(content) > _MOST_BYTES:
        raise UsageError(f"{path}: too large for a {what}")
    return content


def _beside(path: Path, suffix: str) -> bytes | None:
    beside = path.with_name(path.name + suffix)
    return _content(beside, "file") if beside.is_file() else None


def _reference(name: str, content: bytes) -> ArtifactRef:
    digest = hashlib.sha256(content).hexdigest()
    return ArtifactRef(name=name, sha256=digest, bytes=len(content))
