"""`checklist.json` of a release folder: written, and read again when the folder is verified."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError
from temporalio import activity

from activities.artifact_store import put_bytes
from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.checklist import Checklist, ChecklistItem

CHECKLIST = "checklist.json"

_MOST_BYTES = 1 << 20


@activity.defn
async def write_checklist(checklist: Checklist) -> ArtifactRef:
    """Store the checklist as JSON. Equal checklists give equal bytes."""
    text = f"{checklist.model_dump_json(indent=2)}\n"
    return await put_bytes(CHECKLIST, text.encode(), "application/json")


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
