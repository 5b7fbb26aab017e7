"""Temporary folders of processes that end, and of those that are killed."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from activities.temporary_folder import temporary_folder

HOLDS_ONE = """
import sys
from activities.temporary_folder import temporary_folder
with temporary_folder() as folder:
    (folder / "copy").mkdir()
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where all temporary files of the test are made."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@contextmanager
def _another_process() -> Iterator[tuple[subprocess.Popen[str], Path]]:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS_ONE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    ) as process:
        assert process.stdout is not None
        try:
            yield process, Path(process.stdout.readline().strip())
        finally:
            process.kill()


def test_it_is_private_and_gone_at_the_end_though_something_failed(temporary_files: Path) -> None:
    with pytest.raises(ValueError, match="trouble"), temporary_folder() as folder:
        (folder / "file").write_text("content")
        assert folder.parent == temporary_files
        assert folder.stat().st_mode & 0o777 == 0o700
        raise ValueError("trouble")

    assert list(temporary_files.iterdir()) == []


def test_the_next_removes_what_a_killed_process_left_and_nothing_else(
    temporary_files: Path,
) -> None:
    strangers = temporary_files / "regreen-notes"
    strangers.mkdir()
    with _another_process() as (process, held):
        with temporary_folder() as ours, temporary_folder() as another:
            assert {*temporary_files.iterdir()} == {held, ours, another, strangers}
        process.kill()
        process.wait()
        assert held.is_dir()
        with temporary_folder() as ours:
            assert {*temporary_files.iterdir()} == {ours, strangers}


def test_a_link_of_such_a_name_is_not_followed(temporary_files: Path) -> None:
    kept = temporary_files / "kept"
    kept.mkdir()
    (temporary_files / "regreen-temporary-link").symlink_to(kept)

    with temporary_folder():
        assert kept.is_dir()
