"""What was tried in vain against a failure, kept in the artifact store for later runs.

Each patch is an object of its own below the failure's prefix, so that runs that write at the same
time never lose each other's. Its name comes from what it says: writing it again changes nothing.
"""

import hashlib

import obstore
from obstore.store import ObjectStore
from pydantic import ValidationError
from temporalio import activity

from activities.artifact_store import open_store
from activities.healing.redaction import redact
from activities.heartbeat import heartbeating
from regreen.contracts.base import Contract
from regreen.contracts.healing import FailedPatch
from regreen.printable import one_line_of
from regreen.settings import load_settings

_MOST_RECALLED = 20
_MOST_KEPT = 100
_LONGEST_REASON = 300
_MOST_BYTES = 4_000


class MemoryQuestion(Contract):
    """A failure, by its repository and `failure_signature`."""

    repository: str
    signature: str


class FailedPatches(Contract):
    """Patches that did not mend a failure, the newest first."""

    patches: tuple[FailedPatch, ...] = ()


class RememberRequest(MemoryQuestion):
    """Patches that failed against it, or that a person rejected."""

    patches: tuple[FailedPatch, ...]


@activity.defn
async def recall_failed_patches(question: MemoryQuestion) -> FailedPatches:
    """At most twenty patches that earlier runs tried; what cannot be read is left out."""
    return await heartbeating(_recall(question), f"patches tried before: {question.signature}")


@activity.defn
async def remember_failed_patches(request: RememberRequest) -> None:
    """Keep patches with their verdicts, without secrets; of each failure the newest hundred."""
    await heartbeating(_remember(request), f"patches that failed: {request.signature}")


async def _recall(question: MemoryQuestion) -> FailedPatches:
    store = open_store(load_settings().artifacts_url)
    found: list[FailedPatch] = []
    for path, size in await _newest_first(store, question):
        if len(found) == _MOST_RECALLED:
            break
        if size > _MOST_BYTES:
            continue
        try:
            content = await (await obstore.get_async(store, path)).bytes_async()
            found.append(FailedPatch.model_validate_json(bytes(content)))
        except (FileNotFoundError, ValidationError):
            continue
    return FailedPatches(patches=tuple(found))


async def _remember(request: RememberRequest) -> None:
    store = open_store(load_settings().artifacts_url)
    written: set[str] = set()
    for patch in request.patches:
        reason = redact(one_line_of(patch.reason))[:_LONGEST_REASON]
        record = patch.model_copy(update={"reason": reason})
        # Where it came from is another thing to those who read it.
        content = record.model_dump_json(exclude={"origin"}).encode()
        identity = f"{patch.workspace}\n{patch.patch.sha256}\n{patch.verdict}"
        name = hashlib.sha256(identity.encode()).hexdigest()
        if len(content) <= _MOST_BYTES:
            path = f"{_prefix(request)}/{name}.json"
            await obstore.put_async(store, path, content)
            written.add(path)
    for path, _ in (await _newest_first(store, request))[_MOST_KEPT:]:
        # S3 tells times in seconds: what has just been written may look as old as the rest.
        if path in written:
            continue
        try:
            await obstore.delete_async(store, path)
        except FileNotFoundError:
            # Another run has removed it.
            continue


async def _newest_first(store: ObjectStore, question: MemoryQuestion) -> list[tuple[str, int]]:
    listed = await obstore.list(store, prefix=_prefix(question)).collect_async()
    newest = sorted(listed, key=lambda each: (each["last_modified"], each["path"]), reverse=True)
    return [(each["path"], each["size"]) for each in newest]


def _prefix(question: MemoryQuestion) -> str:
    # A repository's name may hold what no path may.
    repository = hashlib.sha256(question.repository.encode()).hexdigest()[:32]
    return f"failed-patches/{repository}/{question.signature}"
