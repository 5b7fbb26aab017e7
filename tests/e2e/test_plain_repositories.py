"""`regreen run` on repositories that know nothing of Regreen: healthy, broken, hopeless."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.plain_repository import git, plain_repository, working_state
from tests.e2e.regreen_program import Program, stage

CLAMP = """def clamp(value, low, high):
    if value < low:
        return low
    if value > high:
        return high
    return value
"""
CLAMP_TESTS = """from clamp import clamp


def test_inside():
    assert clamp(5, 0, 10) == 5


def test_below():
    assert clamp(-3, 0, 10) == 0


def test_above():
    assert clamp(12, 0, 10) == 10
"""
WINDOWS = """def windows(items, size):
    return [items[start : start + size] for start in range(len(items) - size)]
"""
WINDOWS_TESTS = """from windows import windows


def test_the_last_window_counts():
    assert windows([1, 2, 3, 4], 2) == [[1, 2], [2, 3], [3, 4]]


def test_one_window():
    assert windows([1, 2], 2) == [[1, 2]]


def test_no_window():
    assert windows([1], 2) == []
"""
BLEND = """def blend(first, second, share):
    rest = 1 - share
    return first * share + second * share
"""
BLEND_TESTS = """from blend import blend


def test_only_the_first():
    assert blend(10, 20, 1) == 10


def test_only_the_second():
    assert blend(10, 20, 0) == 20


def test_a_quarter():
    assert blend(8, 4, 0.25) == 5
"""


@dataclass(frozen=True)
class Broken:
    """A repository with a bug of one line."""

    files: dict[str, str]
    source: str
    """The file that has it."""


BROKEN = {
    "inverted comparison": Broken(
        {"clamp.py": CLAMP.replace("value < low", "value > low"), "test_clamp.py": CLAMP_TESTS},
        "clamp.py",
    ),
    "off by one": Broken(
        {"src/windows.py": WINDOWS, "tests/test_windows.py": WINDOWS_TESTS},
        "src/windows.py",
    ),
    "wrong variable": Broken(
        {"blend.py": BLEND, "tests/test_blend.py": BLEND_TESTS},
        "blend.py",
    ),
}


def test_a_healthy_repository_passes(program: Program, tmp_path: Path) -> None:
    repository = plain_repository(
        tmp_path / "healthy", {"clamp.py": CLAMP, "tests/test_clamp.py": CLAMP_TESTS}
    )
    before = working_state(repository)

    ended = program.run("run", repository, "--json")

    assert ended.code == 0, ended.errors
    run = ended.document
    assert run["state"] == "passed"
    assert run["commit"] == git(repository, "rev-parse", "HEAD")
    assert run["tree"] == git(repository, "rev-parse", "HEAD^{tree}")
    assert run["workflow_id"] == f"pipeline/{run['repository']}/{run['commit']}"
    assert run["ref"] == "main"
    assert run["sandbox"] == "bubblewrap"
    assert run["pull_request"] is None
    assert run["release"] is None
    unit = stage(run, "unit")
    assert unit["state"] == "passed"
    assert unit["summary"].startswith("3 of 3 green")
    assert unit["attempts"] == []
    assert {each["state"] for each in run["stages"]} <= {"passed", "skipped"}
    names = {each["name"] for each in run["artifacts"]}
    assert {"report.jsonl", "coverage.json"} <= names
    for each in run["artifacts"]:
        assert Path(each["path"]).stat().st_size == each["bytes"]
    assert working_state(repository) == before
    assert git(repository, "for-each-ref", "--format=%(refname)") == "refs/heads/main"
    # Nothing of a run belongs into the user's home.
    assert list((program.folder / "home").iterdir()) == []


@pytest.mark.parametrize("bug", BROKEN)
def test_a_bug_of_one_line_is_healed_and_waits_for_a_person(
    bug: str, hosted: Program, tmp_path: Path
) -> None:
    broken = BROKEN[bug]
    repository = plain_repository(tmp_path / bug.replace(" ", "-"), broken.files)
    before = working_state(repository)

    ended = hosted.run("run", repository, "--json")

    assert ended.code == 0, ended.errors
    run = ended.document
    assert run["state"] == "waiting"
    unit = stage(run, "unit")
    assert unit["state"] == "healed", unit
    numbers = [attempt["number"] for attempt in unit["attempts"]]
    assert numbers == list(range(1, len(numbers) + 1))
    healed = unit["attempts"][-1]
    assert (healed["healer"], healed["verdict"]) == ("search", "healed")
    patch = Path(healed["patch"]["path"]).read_text("utf-8")
    assert patch.count("diff --git") == 1
    assert f"b/{broken.source}" in patch
    branch = run["pull_request"]["branch"]
    assert branch.startswith("auto-heal/unit/")
    assert git(repository, "rev-parse", f"{branch}^{{tree}}") == run["tree"]
    assert git(repository, "rev-parse", f"{branch}^") == run["commit"]
    assert _is_green(repository, branch, tmp_path / "healed")
    assert working_state(repository) == before

    approved = hosted.run("approve", run["commit"][:12], "--comment", "read the diff", "--json")

    assert approved.code == 0, approved.errors
    assert approved.document["state"] == "passed"
    assert approved.document["run_id"] == run["run_id"]
    assert stage(approved.document, "approval")["state"] == "passed"
    assert "read the diff" in stage(approved.document, "approval")["summary"]
    assert working_state(repository) == before


def _is_green(repository: Path, branch: str, folder: Path) -> bool:
    git(repository.parent, "clone", "--quiet", "--branch", branch, str(repository), str(folder))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", "."]
    variables = {"PYTHONPATH": "src:.", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **variables}, check=False, timeout=60
    )
    return done.returncode == 0


def test_a_rejected_heal_ends_the_run(hosted: Program, tmp_path: Path) -> None:
    broken = BROKEN["inverted comparison"]
    repository = plain_repository(tmp_path / "rejected", broken.files)
    before = working_state(repository)
    run = hosted.run("run", repository, "--json").document

    ended = hosted.run("reject", run["workflow_id"], "--comment", "the symptom only", "--json")

    assert ended.code == 4, ended.errors
    assert ended.document["state"] == "rejected"
    assert "the symptom only" in ended.document["reason"]
    assert working_state(repository) == before


def test_tests_that_cannot_be_satisfied_fail_within_the_budget(
    hosted: Program, tmp_path: Path
) -> None:
    repository = plain_repository(
        tmp_path / "hopeless",
        {
            "clamp.py": CLAMP,
            "test_clamp.py": CLAMP_TESTS.replace("== 10", "== 'a word that nobody computes'")
            + "\n\ndef test_contradiction():\n    assert clamp(12, 0, 10) == 10\n",
            "regreen.yaml": "heal: {search_seconds: 5}\n",
        },
    )
    before = working_state(repository)

    ended = hosted.run("run", repository, "--json")

    assert ended.code == 1, ended.errors
    run = ended.document
    assert run["state"] == "failed"
    unit = stage(run, "unit")
    assert unit["state"] == "failed"
    assert 1 <= len(unit["attempts"]) <= 8
    assert "healed" not in {attempt["verdict"] for attempt in unit["attempts"]}
    assert "test_above" in unit["summary"]
    assert run["reason"].startswith("unit: ")
    later = ("security", "package", "release")
    assert {stage(run, name)["state"] for name in later} == {"skipped"}
    assert run["pull_request"] is None
    assert working_state(repository) == before

    again = hosted.run("run", repository, "--json")

    assert again.code == 1
    assert again.document["run_id"] == run["run_id"]
    assert "regreen retry" in again.errors
