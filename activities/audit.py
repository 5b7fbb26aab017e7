"""The audit record of a run in the artifact store: appended to, and sealed at the end.

Each state of a record is an artifact of its own, named by its content: an append that is done
again changes nothing. Where a sealed record lies is kept below `audit/` in the store, for the time
after the Temporal server has forgotten the run.
"""

import re
from pathlib import PurePosixPath

import obstore
from pydantic import ValidationError
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.artifact_store import get_bytes, open_store, put_bytes
from activities.audit_chain import RECORD_FILE, SEALED, extended
from activities.cosign import sign_files
from activities.heartbeat import heartbeating
from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.audit import AuditAppend, AuditEvent, AuditHeader, AuditRecord, AuditSeal
from regreen.contracts.base import Contract
from regreen.contracts.release import ReleaseFile, SignedFiles, SignRequest
from regreen.settings import load_settings

_MEDIA_TYPE = "application/jsonl"
_INDEX = "audit"
_COMMIT = re.compile("[0-9a-f]{40}(?:[0-9a-f]{24})?")
_TRIES = 3
"""How often a key that cannot be used now is waited for."""


class SealedRun(Contract):
    """A run that has ended, and its record."""

    header: AuditHeader
    record: AuditRecord


@activity.defn
async def append_audit(request: AuditAppend) -> ArtifactRef:
    """Write the events after those of the record so far. Returns the record with them.

    Raises non-retryable ApplicationError `AuditRefused` when the record is about another run.
    """
    return await heartbeating(_append(request), f"audit: {len(request.events)} events")


@activity.defn
async def seal_audit(request: AuditSeal) -> AuditRecord:
    """Write the last events and the seal, and sign all of it with the publisher's key.

    A record that cannot be signed says why in its seal. Raises as `append_audit` does, and
    ApplicationError `SigningKeyUnavailable`, which is retried a few times.
    """
    record = await _sealed(request, "")
    signed = await _signed(record)
    if signed.skipped:
        record = await _sealed(request, signed.skipped)
    sealed = AuditRecord(
        record=record,
        sealed=True,
        bundle=signed.bundles[0].content if signed.bundles else None,
        public_key=signed.public_key,
        unsigned=signed.skipped,
    )
    await heartbeating(_keep_place(request.header, sealed), "audit: index")
    return sealed


async def find_records(name: str) -> list[SealedRun]:
    """Runs with a sealed record that `name` means, the newest first.

    `name` is a workflow id, a run id, a commit, or the start of a workflow id or a commit.
    """
    store = open_store(load_settings().artifacts_url)
    listed = await obstore.list(store, prefix=_INDEX).collect_async()
    # `pipeline/OWNER/NAME/COMMIT`: a shorter start leaves the commit open.
    commit = "" if name.count("/") in (1, 2) else name.rpartition("/")[2]
    found = []
    for entry in sorted(listed, key=lambda each: each["last_modified"], reverse=True):
        path = PurePosixPath(entry["path"])
        if path.stem != name and not path.parent.name.startswith(commit):
            continue
        try:
            content = await (await obstore.get_async(store, entry["path"])).bytes_async()
            run = SealedRun.model_validate_json(bytes(content))
        except (FileNotFoundError, ValidationError):
            continue
        if "/" not in name or run.header.workflow_id.startswith(name):
            found.append(run)
    return found


async def _append(request: AuditAppend) -> ArtifactRef:
    before = b"" if request.previous is None else await get_bytes(request.previous)
    try:
        record = extended(before, request.header, request.events)
    except ValueError as error:
        raise ApplicationError(str(error), type="AuditRefused", non_retryable=True) from error
    return await put_bytes(RECORD_FILE, record, _MEDIA_TYPE)


async def _sealed(request: AuditSeal, unsigned: str) -> ArtifactRef:
    seal = AuditEvent(
        time=request.sealed_at,
        actor="regreen",
        action=SEALED,
        detail=f"not signed: {unsigned}" if unsigned else "signed with the publisher's key",
        fields={"unsigned": unsigned} if unsigned else {},
    )
    request = request.model_copy(update={"events": (*request.events, seal)})
    return await heartbeating(_append(request), f"audit: {len(request.events)} events")


async def _signed(record: ArtifactRef) -> SignedFiles:
    file = ReleaseFile(path=RECORD_FILE, content=record)
    try:
        # What happened in a run is nobody's business but that of those who have the record.
        signing = sign_files(SignRequest(files=(file,), logged=False))
        return await heartbeating(signing, "audit: sign")
    except ApplicationError as error:
        if activity.in_activity() and activity.info().attempt < _TRIES:
            raise
        return SignedFiles(bundles=(), public_key=None, skipped=error.message)


async def _keep_place(header: AuditHeader, record: AuditRecord) -> None:
    # A run whose commit is none has fetched nothing, and its name may be no path.
    if _COMMIT.fullmatch(header.commit):
        store = open_store(load_settings().artifacts_url)
        run = SealedRun(header=header, record=record)
        path = f"{_INDEX}/{header.commit}/{header.run_id}.json"
        await obstore.put_async(store, path, run.model_dump_json().encode())
