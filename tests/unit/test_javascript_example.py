"""The example library in JavaScript: its history, its bug, and the edit that mends it."""

import subprocess
import sys
from pathlib import Path

import pytest

from regreen.pipeline_reading import FILE_NAME, parse_pipeline

EXAMPLE = Path(__file__).parents[2] / "examples" / "javascript-library"
HISTORY = EXAMPLE / "make_history.py"
BUG = "rest -= size;"


def make_history(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(HISTORY), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def git(repository: Path, *arguments: str) -> str:
    command = ["git", "-C", str(repository), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def failing(repository: Path) -> list[str]:
    """The names of the tests that fail."""
    done = subprocess.run(
        ["node", "--test", "--test-reporter=tap"],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line.strip() for line in done.stdout.splitlines()]
    red = [line.partition(" - ")[2] for line in lines if line.startswith("not ok")]
    assert bool(red) == (done.returncode != 0), done.stdout
    return red


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    made = make_history(tmp_path / "library")
    assert made.returncode == 0, made.stderr
    return tmp_path / "library"


def test_the_history_has_the_same_hashes(repository: Path, tmp_path: Path) -> None:
    again = make_history(tmp_path / "again")

    assert again.stdout.strip() == git(repository, "rev-parse", "HEAD")


def test_the_last_commit_holds_the_example_and_nothing_else(repository: Path) -> None:
    files = {
        path.relative_to(EXAMPLE).as_posix(): path.read_bytes()
        for path in EXAMPLE.rglob("*")
        if path.is_file() and path != HISTORY and "reports" not in path.parts
    }
    committed = git(repository, "ls-tree", "-r", "--name-only", "HEAD").splitlines()

    assert {name: (repository / name).read_bytes() for name in committed} == files
    assert git(repository, "status", "--porcelain") == ""


def test_the_pipeline_file_is_valid_and_runs_node() -> None:
    pipeline = parse_pipeline((EXAMPLE / FILE_NAME).read_text("utf-8"))

    assert pipeline.unit.tool == "node"
    assert f"--test-reporter-destination={pipeline.unit.report}" in pipeline.unit.command


def test_the_bug_fails_two_tests_and_one_expression_mends_it(repository: Path) -> None:
    assert failing(repository) == [
        "counts every unit only once",
        "leaves out units that are zero",
        "formatDuration",
    ]
    source = repository / "src" / "durations.js"
    broken = source.read_text("utf-8")
    assert broken.count(BUG) == 1
    source.write_text(broken.replace(BUG, "rest -= count * size;"), "utf-8")
    assert failing(repository) == []


def test_everything_passes_before_the_commit_that_brings_the_bug(repository: Path) -> None:
    git(repository, "checkout", "--quiet", "HEAD~1")

    assert failing(repository) == []
    assert git(repository, "diff", "--name-only", "HEAD", "main", "--", "src") == "src/durations.js"


@pytest.mark.parametrize("arguments", [[], ["one", "two"], ["--help-me"], [HISTORY], [EXAMPLE]])
def test_a_wrong_command_line_is_refused(arguments: list[object]) -> None:
    refused = make_history(*arguments)

    assert refused.returncode == 2
    assert refused.stderr.startswith("make_history: ")
    assert "Traceback" not in refused.stderr
