"""Patches are taken apart so that git can apply each part, and all of them together."""

import subprocess
from pathlib import Path

import pytest

from activities.healing.hunks import split_hunks
from tests.e2e.plain_repository import git, plain_repository

LINES = "".join(f"line {number}\n" for number in range(1, 41))


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two long files, and one whose text looks like a patch."""
    tricky = "diff of prices\n@@ not a hunk @@\n--- a\n+++ b\n"
    return plain_repository(
        tmp_path / "repository", {"a.txt": LINES, "b.txt": LINES, "tricky.txt": tricky}
    )


def _patch(repository: Path) -> bytes:
    git(repository, "add", "--intent-to-add", "--all")
    diff = ["git", "diff", "--binary", "--no-color", "--no-ext-diff"]
    patch = subprocess.run(diff, cwd=repository, capture_output=True, check=True).stdout
    git(repository, "reset", "--quiet", "--hard")
    git(repository, "clean", "--quiet", "--force", "-d")
    return patch


def _apply(repository: Path, patch: bytes) -> None:
    command = ["git", "apply", "--whitespace=nowarn", "-"]
    subprocess.run(command, cwd=repository, input=patch, check=True, capture_output=True)


def _change(path: Path, *numbers: int) -> None:
    text = path.read_text()
    for number in numbers:
        text = text.replace(f"line {number}\n", f"changed {number}\n")
    path.write_text(text)


def test_each_hunk_applies_alone_and_all_in_any_order(repository: Path) -> None:
    _change(repository / "a.txt", 2, 20, 38)
    _change(repository / "b.txt", 5)
    patch = _patch(repository)

    parts = split_hunks(patch)

    assert len(parts) == 4
    _apply(repository, parts[1])
    assert (repository / "a.txt").read_text() == LINES.replace("line 20\n", "changed 20\n")
    for part in (parts[3], parts[0], parts[2]):
        _apply(repository, part)
    assert _patch(repository) == patch


def test_a_part_of_one_hunk_is_left_as_it_is(repository: Path) -> None:
    _change(repository / "a.txt", 2)
    patch = _patch(repository)

    assert split_hunks(patch) == [patch]


def test_text_that_looks_like_a_patch_is_not_taken_apart(repository: Path) -> None:
    (repository / "tricky.txt").write_text("diff of prices\n@@ still none @@\n--- a\n+++ c\n")
    _change(repository / "a.txt", 2)
    patch = _patch(repository)

    parts = split_hunks(patch)

    assert len(parts) == 2
    assert b"".join(parts) == patch
    for part in parts:
        _apply(repository, part)


def test_new_deleted_binary_and_mode_changes_stay_whole(repository: Path) -> None:
    (repository / "new.txt").write_text("new\n")
    (repository / "b.txt").unlink()
    (repository / "new.bin").write_bytes(bytes(range(256)) * 9)
    (repository / "tricky.txt").chmod(0o755)
    git(repository, "config", "core.fileMode", "true")
    git(repository, "add", "--intent-to-add", "--ignore-removal", ".")
    diff = ["git", "diff", "--binary", "--no-color"]
    patch = subprocess.run(diff, cwd=repository, capture_output=True, check=True).stdout

    parts = split_hunks(patch)

    assert len(parts) == 4
    assert b"".join(parts) == patch


def test_no_end_of_line_at_the_end(repository: Path) -> None:
    text = LINES.replace("line 2\n", "changed 2\n").replace("line 40\n", "line 40 without an end")
    (repository / "a.txt").write_text(text)
    patch = _patch(repository)

    parts = split_hunks(patch)

    assert len(parts) == 2
    for part in parts:
        _apply(repository, part)
    assert (repository / "a.txt").read_text() == text


@pytest.mark.parametrize("patch", [b"", b"no patch\n"])
def test_what_is_no_patch_has_no_parts(patch: bytes) -> None:
    assert split_hunks(patch) == []
