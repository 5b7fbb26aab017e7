"""Verifying an audit record offline: its chain, its seal, its signature, and whose it is."""

from dataclasses import dataclass

from activities.audit_chain import RECORD_FILE, SEALED, entries_of, first_broken, header_of
from activities.cosign import COSIGN_MISSING
from activities.cosign_check import refusal
from activities.temporary_folder import temporary_folder
from regreen.contracts.audit import AuditVerification
from regreen.tools.locate import find


@dataclass(frozen=True)
class Evidence:
    """A record as it was found, and what lay beside it."""

    record: bytes
    bundle: bytes | None = None
    """cosign's bundle over the record."""
    public_key: bytes | None = None
    """The key that came with the record: it shows that the record is whole, not who made it."""
    trusted_key: bytes | None = None
    """The key that must have signed; None: the one that came with the record will do."""


@dataclass(frozen=True)
class KnownRun:
    """What Temporal says of the run that a record should be about."""

    workflow_id: str
    run_id: str
    state: str
    ended: bool


def verify_audit(found: Evidence, run: KnownRun | None = None) -> AuditVerification:
    """Verify a record; the summary names what is wrong first.

    Every line must follow the one before it. The record of a run that has ended must end with its
    seal, and where the seal says that it is signed, cosign must accept the signature; without
    `run` the run has ended. The header and the last state must be those of `run`. A record that
    says why it is not signed can be ok, unless there is a `trusted_key`; `signed` is then false.
    """
    lines = found.record.count(b"\n")
    broken = first_broken(found.record)
    if broken is not None:
        summary = f"line {broken.line} {broken.why}"
        return AuditVerification(ok=False, lines=lines, broken_line=broken.line, summary=summary)
    entries = entries_of(found.record)
    sealed = bool(entries) and entries[-1]["action"] == SEALED
    unsigned = str(entries[-1].get("unsigned", "")) if sealed else ""
    problem = _of_another_run(found.record, run)
    if not problem and sealed:
        problem = _unlike(entries, run) or _signature_problem(found, unsigned)
    elif not problem and (run is None or run.ended):
        problem = "ends without its seal: lines are missing at its end, or it was never sealed"
    signed = sealed and not unsigned and not problem
    return AuditVerification(
        ok=not problem,
        sealed=sealed,
        signed=signed,
        pinned=signed and found.trusted_key is not None,
        lines=lines,
        summary=problem or _verdict(found, lines, sealed, unsigned),
    )


def _of_another_run(record: bytes, run: KnownRun | None) -> str:
    header = header_of(record)
    if run is None or (header.workflow_id, header.run_id) == (run.workflow_id, run.run_id):
        return ""
    return f"is about another run: {header.workflow_id}, {header.run_id}"


def _unlike(entries: list[dict[str, object]], run: KnownRun | None) -> str:
    states = [entry.get("state") for entry in entries if entry["action"] == "run-ended"]
    if len(states) != 1:
        return f"says {len(states)} times how the run ended"
    if run is not None and run.ended and states[0] != run.state:
        return f"says that the run ended as {states[0]}, and Temporal says {run.state}"
    return ""


def _signature_problem(found: Evidence, unsigned: str) -> str:
    if unsigned:
        expected = found.trusted_key is not None or found.bundle is not None
        return f"is not signed: {unsigned}" if expected else ""
    if found.bundle is None:
        return "is signed, and its signature is missing"
    key = found.trusted_key or found.public_key
    if key is None:
        return "is signed, and there is no public key to verify it with"
    cosign = find("cosign")
    if cosign is None:
        return f"cannot be verified: {COSIGN_MISSING}"
    with temporary_folder() as folder:
        for name, content in (
            (RECORD_FILE, found.record),
            ("bundle", found.bundle),
            ("key.pub", key),
        ):
            (folder / name).write_bytes(content)
        refused = refusal(cosign, folder / "key.pub", folder / "bundle", folder / RECORD_FILE)
    return "" if refused is None else f"has a signature that is not its own: {refused}"


def _verdict(found: Evidence, lines: int, sealed: bool, unsigned: str) -> str:
    if not sealed:
        return f"{lines} lines, whole so far; the run has not ended"
    if unsigned:
        return f"{lines} lines, whole and sealed; NOT SIGNED: {unsigned}"
    own = "" if found.trusted_key is not None else " by its own key"
    return f"{lines} lines, whole, sealed and signed{own}"
