"""Taking a published release back: the statements about it, and its folder moved aside."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.artifact_store import get_file, put_bytes
from activities.release_folder import release_directory
from regreen.contracts.publishing import WithdrawalRecord, WithdrawnFolder
from regreen.contracts.release import ReleaseFile

RECORD = "WITHDRAWAL.json"
VEX = "withdrawal.openvex.json"

_CONTEXT = "https://openvex.dev/ns/v0.2.0"


@activity.defn
async def write_withdrawal(record: WithdrawalRecord) -> tuple[ReleaseFile, ...]:
    """Write the record, and an OpenVEX statement when users can still fetch something.

    Equal records give equal bytes.
    """
    files = [await _stored(RECORD, _record(record))]
    if any(taken.left for taken in record.taken):
        files.append(await _stored(VEX, _statement(record)))
    return tuple(files)


@activity.defn
async def withdraw_release_folder(request: WithdrawnFolder) -> str:
    """Move the release folder to `withdrawn/VERSION/release` and put the statements beside it.

    Returns the folder `withdrawn/VERSION`; `withdrawn/VERSION-DIGEST`, after the record, where an
    earlier release of that version was withdrawn. Raises non-retryable ApplicationError
    `WithdrawalRefused` when there is no such release.
    """
    place = release_directory(request.folder)
    aside = _aside(place, request)
    moved = aside / "release"
    if not os.path.lexists(moved) and not place.is_dir():
        raise ApplicationError(
            f"{place} is not there to withdraw", type="WithdrawalRefused", non_retryable=True
        )
    aside.mkdir(parents=True, exist_ok=True)
    # The record is first: by it a further attempt knows the folder again.
    for file in request.statements:
        await get_file(file.content, aside / file.path)
    if not os.path.lexists(moved):
        place.rename(moved)
    return str(aside)


def _aside(place: Path, request: WithdrawnFolder) -> Path:
    """Where this withdrawal puts the release, whatever others of that version have put there."""
    [record] = [file.content.sha256 for file in request.statements if file.path == RECORD]
    aside = place.parent / "withdrawn" / request.folder.version
    there = aside / RECORD
    if not aside.exists() or (
        there.is_file() and hashlib.sha256(there.read_bytes()).hexdigest() == record
    ):
        return aside
    return aside.with_name(f"{aside.name}-{record[:12]}")


async def _stored(name: str, document: dict[str, Any]) -> ReleaseFile:
    text = json.dumps(document, indent=2, sort_keys=True) + "\n"
    return ReleaseFile(path=name, content=await put_bytes(name, text.encode(), "application/json"))


def _record(record: WithdrawalRecord) -> dict[str, Any]:
    request, folder = record.request, record.request.parts.folder
    return {
        "repository": folder.repository,
        "version": folder.version,
        "tag": request.parts.tag.name,
        "commit": request.parts.tag.commit,
        "run": folder.run,
        "reason": request.reason,
        "by": request.by,
        "at": request.at,
        "taken": [taken.model_dump(mode="json") for taken in record.taken],
    }


def _statement(record: WithdrawalRecord) -> dict[str, Any]:
    """Says of each file that is out there that it is not to be used."""
    request, folder = record.request, record.request.parts.folder
    name = f"urn:regreen:withdrawn:{folder.repository}:{folder.version}"
    listed = [file for file in folder.files if Path(file.path).suffix in (".whl", ".gz")]
    return {
        "@context": _CONTEXT,
        "@id": name,
        "author": request.by,
        "timestamp": request.at,
        "version": 1,
        "statements": [
            {
                "vulnerability": {"name": name, "description": request.reason},
                "products": [
                    {
                        "@id": f"pkg:generic/{folder.repository}@{folder.version}?file={file.path}",
                        "hashes": {"sha-256": file.content.sha256},
                    }
                    for file in listed or folder.files
                ],
                "status": "affected",
                "action_statement": f"Withdrawn, do not use: {request.reason}",
            }
        ],
    }
