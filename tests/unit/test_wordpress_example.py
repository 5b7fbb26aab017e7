"""The example WordPress plugin: its history, and its tests at every commit that has any."""

import subprocess
import sys
from pathlib import Path

from regreen.pipeline_reading import FILE_NAME, parse_pipeline

EXAMPLE = Path(__file__).parents[2] / "examples" / "wordpress-plugin"
HISTORY = EXAMPLE / "make_history.py"


def make_history(folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, str(HISTORY), str(folder)], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def git(repository: Path, *arguments: str) -> str:
    command = ["git", "-C", str(repository), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_the_history_has_the_same_hashes(tmp_path: Path) -> None:
    assert make_history(tmp_path / "one") == make_history(tmp_path / "two")


def test_the_last_commit_holds_the_example_and_nothing_else(tmp_path: Path) -> None:
    make_history(tmp_path / "plugin")
    files = {
        path.relative_to(EXAMPLE).as_posix(): path.read_bytes()
        for path in EXAMPLE.rglob("*")
        if path.is_file() and path != HISTORY and "reports" not in path.parts
    }
    committed = git(tmp_path / "plugin", "ls-tree", "-r", "--name-only", "HEAD").splitlines()

    assert {name: (tmp_path / "plugin" / name).read_bytes() for name in committed} == files


def test_its_own_tests_are_green(tmp_path: Path) -> None:
    make_history(tmp_path / "plugin")

    done = subprocess.run(
        ["node", "--test"], cwd=tmp_path / "plugin", capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout


def test_the_pipeline_file_packs_a_plugin() -> None:
    pipeline = parse_pipeline((EXAMPLE / FILE_NAME).read_text("utf-8"))

    assert pipeline.package is not None
    assert pipeline.package.wordpress is not None
    assert f"--test-reporter-destination={pipeline.unit.report}" in pipeline.unit.command
