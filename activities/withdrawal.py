"""Taking a published release back: the statements about it, and its folder moved aside."""

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

    Returns the folder `withdrawn/VERSION`, or `withdrawn/VERSION-2` and so on where the version
    was withdrawn before. Raises non-retryable ApplicationError `WithdrawalRefused` when there is
    no such release.
    """
    place = release_directory(request.folder)
    *withdrawn, free = _places_aside(place)
    if place.is_dir():
        free.mkdir(parents=True, exist_ok=True)
        place.rename(free / "release")
        aside = free
    elif withdrawn:
        # An earlier try came this far.
        aside = withdrawn[-1]
    else:
        raise ApplicationError(
            f"{place} is not there to withdraw", type="WithdrawalRefused", non_retryable=True
        )
    for file in request.statements:
        await get_file(file.content, aside / file.path)
    return str(aside)


def _places_aside(place: Path) -> list[Path]:
    """Where releases of the version were moved to, in order, and last of all a free place."""
    places: list[Path] = []
    while not places or os.path.lexists(places[-1] / "release"):
        number = f"-{len(places) + 1}" if places else ""
        places.append(place.parent / "withdrawn" / f"{place.name}{number}")
    return places


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
