"""The whole line on the example shop: red, healed, loaded, scanned, packed, approved, released."""

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from regreen.tools.locate import find
from tests.e2e.conftest import MakeProgram
from tests.e2e.plain_repository import git, working_state
from tests.e2e.regreen_program import Program, stage
from tests.e2e.storefront import storefront


class Delivered:
    """The shop's run, approved and released."""

    def __init__(self, program: Program, repository: Path, waiting: Any, released: Any) -> None:
        self.program = program
        self.repository = repository
        self.waiting = waiting
        self.released = released
        self.folder = Path(released["release"]["directory"])


@pytest.fixture(scope="module")
def delivered(make_program: MakeProgram, tmp_path_factory: pytest.TempPathFactory) -> Delivered:
    """Run the line, check that nobody's files were touched, approve, run it to its end."""
    repository = storefront(tmp_path_factory.mktemp("shop") / "storefront")
    before = working_state(repository)
    program = make_program()
    waiting = program.run("run", repository, "--json")
    assert waiting.code == 0, waiting.errors
    assert waiting.document["state"] == "waiting"
    assert git(repository, "tag", "--points-at", "HEAD") == ""
    released = program.run("approve", waiting.document["commit"], "--json")
    assert released.code == 0, released.errors
    assert working_state(repository) == before
    return Delivered(program, repository, waiting.document, released.document)


def test_every_stage_did_its_work(delivered: Delivered) -> None:
    run = delivered.released
    assert run["state"] == "released"
    assert run["run_id"] == delivered.waiting["run_id"]
    states = {each["name"]: each["state"] for each in run["stages"]}
    assert states.pop("unit") == "healed"
    assert len(states) == 10
    assert set(states.values()) == {"passed"}
    assert stage(run, "unit")["attempts"][-1]["healer"] == "search"
    assert "p(95)" in stage(run, "load")["summary"]
    assert stage(run, "lint")["summary"].startswith("ruff: nothing found; examined ")
    assert "gitleaks" in stage(run, "security")["summary"]
    assert "bandit" in stage(run, "security")["summary"]


def test_what_all_tools_found_is_one_file(delivered: Delivered, tmp_path: Path) -> None:
    kept = [each for each in delivered.released["artifacts"] if each["name"] == "findings.sarif"]
    assert len(kept) == 1
    findings = Path(kept[0]["path"]).read_bytes()
    categories = [run["automationDetails"]["id"] for run in json.loads(findings)["runs"]]
    tools = ("ruff", "coverage", "k6", "gitleaks", "bandit", "dependency-review", "uv")
    assert [each for each in categories if each.split("/")[1] in tools] == [
        f"regreen/{tool}/" for tool in tools
    ]
    assert len(set(categories)) == len(categories)

    written = tmp_path / "written.sarif"
    shown = delivered.program.run(
        "show", delivered.released["workflow_id"], "--sarif", str(written)
    )
    assert (shown.code, written.read_bytes()) == (0, findings), shown.errors


def test_the_release_folder_is_complete(delivered: Delivered) -> None:
    folder = delivered.folder
    assert len(list(folder.glob("*.whl"))) == 1
    assert len(list(folder.glob("*.tar.gz"))) == 1
    notes = next(folder.glob("RELEASE_NOTES*")).read_text("utf-8")
    assert delivered.released["release"]["version"] in notes
    cyclonedx = json.loads(next(folder.glob("*.cdx.json")).read_text("utf-8"))
    assert cyclonedx["components"]
    spdx = json.loads(next(folder.glob("*.spdx.json")).read_text("utf-8"))
    assert spdx["packages"]
    listed = [line.split("  ", 1) for line in (folder / "SHA256SUMS").read_text().splitlines()]
    assert len(listed) >= 5
    for digest, name in listed:
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest


def test_cosign_itself_accepts_the_bundles(delivered: Delivered) -> None:
    cosign = find("cosign")
    assert cosign is not None
    (key,) = delivered.folder.glob("*.pub")
    # As docs/release.md tells people to do it; the demo's key is in no transparency log.
    bundles = sorted(delivered.folder.rglob("*.bundle"))
    signed = {path.name.removesuffix(".bundle") for path in bundles}
    assert {path.name for path in delivered.folder.glob("*.whl")} <= signed
    assert {path.name for path in delivered.folder.glob("*.tar.gz")} <= signed
    assert "SHA256SUMS" in signed
    done = subprocess.run(
        ["sh", str(delivered.folder / "verify.sh"), str(key)],
        env={"PATH": f"{cosign.parent}:{os.defpath}", "HOME": str(delivered.folder.parent)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr


def test_the_tag_holds_the_healed_tree(delivered: Delivered) -> None:
    tag = f"v{delivered.released['release']['version']}"

    assert git(delivered.repository, "rev-parse", f"{tag}^{{tree}}") == delivered.released["tree"]


def test_verify_accepts_the_folder_and_refuses_a_tampered_copy(
    delivered: Delivered, tmp_path: Path
) -> None:
    accepted = delivered.program.run("verify", delivered.folder, "--json")
    assert accepted.code == 0, accepted.errors
    assert accepted.document["ok"] is True
    copy = tmp_path / "copy"
    shutil.copytree(delivered.folder, copy)
    wheel = next(copy.glob("*.whl"))
    with wheel.open("ab") as file:
        file.write(b"one more byte")

    refused = delivered.program.run("verify", copy, "--json")

    assert refused.code == 1, refused.errors
    assert refused.document["ok"] is False
    bad = [row["path"] for row in refused.document["rows"] if not row["ok"]]
    # And what is attested about it.
    assert wheel.name in bad
    assert all(path.startswith(wheel.name) for path in bad)


def test_running_the_commit_again_joins_its_run(delivered: Delivered) -> None:
    again = delivered.program.run("run", delivered.repository, "--json")

    assert again.code == 0, again.errors
    ours = {key: value for key, value in again.document.items() if key != "ui"}
    assert ours == {key: value for key, value in delivered.released.items() if key != "ui"}
