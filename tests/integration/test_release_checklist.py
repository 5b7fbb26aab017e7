"""`checklist.json` of a release folder when it is verified, and the check of documentation."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.artifact_store import get_bytes, put_bytes
from activities.documentation import check_documentation
from activities.release_checklist import write_checklist
from activities.release_folder import (
    draft_release_folder,
    publish_release_folder,
    write_checksums,
)
from activities.release_verification import verify_release
from regreen.contracts.checklist import Checklist, ChecklistItem, Evidence, ItemName
from regreen.contracts.release import ChecksumRequest, FolderRequest, ReleaseFile
from regreen.contracts.run import StageVerdict
from regreen.pipeline_file import Pipeline
from tests.integration.gate_repository import stage_request
from tests.met_checklist import met_checklist

pytestmark = pytest.mark.usefixtures("own_state")

BILL = "shop-1.0.0.cdx.json"
BILL_TEXT = json.dumps({"components": [{"name": "shop"}]}).encode()


async def _folder(*changed: ChecklistItem) -> Path:
    """An unsigned release with a bill of materials that the checklist binds."""
    digest = hashlib.sha256(BILL_TEXT).hexdigest()
    bound = ChecklistItem(
        name="sbom",
        state="met",
        detail=BILL,
        evidence=(Evidence(kind="file", name=BILL, digest=digest),),
    )
    off = ChecklistItem(name="signatures", state="off", detail="a trial")
    checklist = met_checklist(off, bound, *changed)
    written = await write_checklist(checklist)
    files = (
        ReleaseFile(path=BILL, content=await put_bytes(BILL, BILL_TEXT)),
        ReleaseFile(path="checklist.json", content=written),
    )
    sums = await write_checksums(ChecksumRequest(files=files))
    request = FolderRequest(
        run="run",
        repository="example/shop",
        version="1.0.0",
        files=(*files, ReleaseFile(path="SHA256SUMS", content=sums)),
    )
    await draft_release_folder(request)
    return Path((await publish_release_folder(request)).directory)


async def test_the_first_checklist_holds_when_the_same_release_is_made_again() -> None:
    first = await write_checklist(_shown("tests", "verdict", "1"))
    assert await write_checklist(_shown("tests", "verdict", "2")) == first
    assert await write_checklist(_shown("tests", "artifact", "3")) == first
    assert json.loads(await get_bytes(first))["items"][0]["evidence"][0]["digest"] == "1" * 64


async def test_another_release_has_another_checklist() -> None:
    off = ChecklistItem(name="tests", state="off", detail="a trial")
    others = [
        _shown("tests", "verdict", "1"),
        *(_shown("tests", kind, "1") for kind in ("file", "document", "review")),
        _shown("tests", "file", "2"),
        met_checklist(off),
        met_checklist(off.model_copy(update={"detail": "another reason"})),
        met_checklist().model_copy(update={"tree": "f" * 40}),
        met_checklist().model_copy(update={"version": "1.0.1"}),
    ]
    written = {(await write_checklist(each)).sha256 for each in others}
    assert len(written) == len(others)


def _shown(name: ItemName, kind: Any, digit: str) -> Checklist:
    evidence = Evidence(kind=kind, name="shown", digest=digit * 64)
    item = ChecklistItem(name=name, state="met", detail=f"in run {digit}", evidence=(evidence,))
    return met_checklist(item)


def _refusal(place: Path) -> str:
    report = verify_release(place)
    assert not report.ok
    [row] = [row for row in report.rows if not row.ok]
    assert row.path == "checklist.json"
    return row.detail


async def test_a_folder_whose_checklist_is_met_is_verified() -> None:
    report = verify_release(await _folder())
    assert report.ok, report.summary


Change = Callable[[dict[str, Any]], None]


def _without(name: str) -> Change:
    def change(document: dict[str, Any]) -> None:
        document["items"] = [item for item in document["items"] if item["name"] != name]

    return change


def _item(which: str, **changed: Any) -> Change:
    def change(document: dict[str, Any]) -> None:
        [item] = [item for item in document["items"] if item["name"] == which]
        item.update(changed)

    return change


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (_without("tests"), "has the item tests 0 times"),
        (_item("coverage", state="unmet", detail="not run"), "coverage: not run"),
        (_item("approval", state="pending"), "approval: its evidence never came"),
        (_item("rollback", evidence=[]), "rollback: has no evidence"),
        (_item("signatures", detail=" "), "signatures: is off without a reason"),
        (_item("changelog", state="fine"), "the checklist cannot be read"),
        (_item("tests", name="speed"), "the checklist cannot be read"),
        (
            _item("sbom", evidence=[{"kind": "file", "name": BILL, "digest": "0" * 64}]),
            f"sbom: its evidence {BILL} is another file than the one in the folder",
        ),
        (
            _item("sbom", evidence=[{"kind": "file", "name": "gone", "digest": "0" * 64}]),
            "sbom: its evidence gone is not in the folder",
        ),
    ],
)
async def test_a_checklist_that_shows_too_little_is_refused(change: Change, why: str) -> None:
    place = await _folder()
    document = json.loads((place / "checklist.json").read_text())
    change(document)
    _replace(place, "checklist.json", json.dumps(document).encode())
    assert why in _refusal(place)


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b'{"items": 7}', b"\xff", b"[" * 100_000])
async def test_a_checklist_that_cannot_be_read_is_refused(text: bytes) -> None:
    place = await _folder()
    _replace(place, "checklist.json", text)
    assert _refusal(place)


async def test_other_evidence_in_the_folder_is_refused() -> None:
    place = await _folder()
    _replace(place, BILL, json.dumps({"components": [{"name": "other"}]}).encode())
    assert f"sbom: its evidence {BILL} is another file" in _refusal(place)


def _replace(place: Path, name: str, data: bytes) -> None:
    """Put other bytes in the folder and list them, as somebody who can sign it anew would."""
    old = hashlib.sha256((place / name).read_bytes()).hexdigest()
    (place / name).write_bytes(data)
    sums = (place / "SHA256SUMS").read_text()
    (place / "SHA256SUMS").write_text(sums.replace(old, hashlib.sha256(data).hexdigest()))


async def _checked(tmp_path: Path, *command: str) -> StageVerdict:
    pipeline = Pipeline.model_validate({"release": {"checklist": {"documentation": command}}})
    request = await stage_request(
        tmp_path / "repository", "documentation", pipeline, [{"docs/page.md": "# Page\n"}]
    )
    return await ActivityEnvironment().run(check_documentation, request)


async def test_the_documentation_is_checked_at_the_root_of_the_repository(tmp_path: Path) -> None:
    found = await _checked(tmp_path, "cat", "docs/page.md")
    assert (found.state, found.summary) == ("passed", "`cat` ended with 0")
    assert await get_bytes(found.artifacts[0]) == b"# Page\n"


async def test_a_documentation_that_does_not_pass_says_so_in_one_line(tmp_path: Path) -> None:
    found = await _checked(
        tmp_path, "sh", "-c", "echo one; echo '\x1b[31mtwo pages missing'; exit 3"
    )
    assert (found.state, found.summary) == ("failed", "`sh` ended with 3: two pages missing")


async def test_a_command_that_is_not_there_fails(tmp_path: Path) -> None:
    assert (await _checked(tmp_path, "no-such-program")).state == "failed"
