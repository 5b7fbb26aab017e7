"""`checklist.json` of a release folder: written, and read again when the folder is verified."""

import hashlib
import secrets
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError
from temporalio import activity

from activities.artifact_store import put_bytes
from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.checklist import Checklist, ChecklistItem
from regreen.settings import load_settings

CHECKLIST = "checklist.json"

_MOST_BYTES = 1 << 20


@activity.defn
async def write_checklist(checklist: Checklist) -> ArtifactRef:
    """Store the checklist as JSON.

    Reports of tests and verdicts are others each time a commit is run. So that a release that is
    made again is the same to the byte, the first checklist holds for the same tree, files,
    documents and reviews, with the same items met and off.
    """
    folder = load_settings().state.resolve() / "checklists"
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / f"{_lasting(checklist)}.json"
    if not kept.is_file():
        staged = kept.with_name(f".{secrets.token_hex(8)}")
        staged.write_text(f"{checklist.model_dump_json(indent=2)}\n", "utf-8")
        staged.replace(kept)
    return await put_bytes(CHECKLIST, kept.read_bytes(), "application/json")


def _lasting(checklist: Checklist) -> str:
    """A digest of what is the same whenever the release is made."""
    items = tuple(
        item.model_copy(
            update={
                "detail": item.detail if item.state == "off" else "",
                "evidence": tuple(
                    each for each in item.evidence if each.kind not in ("artifact", "verdict")
                ),
            }
        )
        for item in checklist.items
    )
    lasting = checklist.model_copy(update={"items": items})
    return hashlib.sha256(lasting.model_dump_json().encode()).hexdigest()


def checklist_problem(path: Path, listed: Mapping[str, str]) -> str:
    """What is wrong with a `checklist.json`, in one line; empty when the release may be out.

    `listed` are the folder's files with their digests. Evidence that is not a file of the folder
    lies in the run's history and cannot be looked at here.
    """
    try:
        with path.open("rb") as file:
            checklist = Checklist.model_validate_json(file.read(_MOST_BYTES))
    except (OSError, ValidationError, RecursionError):
        return "the checklist cannot be read"
    if checklist.incomplete:
        return checklist.incomplete.removeprefix("checklist: ")
    for item in checklist.items:
        if problem := _item_problem(item, listed):
            return f"{item.name}: {problem}"
    return ""


def says_unsigned(path: Path) -> bool:
    """Whether a `checklist.json` that can be read says that the release was made unsigned."""
    with path.open("rb") as file:
        item = Checklist.model_validate_json(file.read(_MOST_BYTES)).item("signatures")
    return item is not None and item.state == "off"


def _item_problem(item: ChecklistItem, listed: Mapping[str, str]) -> str:
    if item.state == "off" and not item.detail.strip():
        return "is off without a reason"
    if item.state == "met" and not item.evidence:
        return "has no evidence"
    for evidence in item.evidence:
        if evidence.kind != "file":
            continue
        if evidence.name not in listed:
            return f"its evidence {evidence.name} is not in the folder"
        if listed[evidence.name] != evidence.digest:
            return f"its evidence {evidence.name} is another file than the one in the folder"
    return ""
