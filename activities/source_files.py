"""The files of a commit that static analysis is about."""

import posixpath
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from activities.git import git

_TEST_FOLDERS = frozenset({"test", "tests"})
_TEST_NAMES = ("_test.py", ".test.js", ".test.ts", ".spec.js", ".spec.ts", "-test.php", "Test.php")
FOREIGN_FOLDERS = frozenset({".tox", ".venv", "node_modules", "site-packages", "venv"})
"""Folders, at any depth, whose files are somebody else's."""


class NoSuchSources(Exception):
    """A configured path has nothing to examine; the message is one line."""


async def regular_files(copy: Path) -> list[str]:
    """The tracked regular files of a checkout, by their paths below its root."""
    tracked = (await git(["ls-files", "-z"], cwd=copy)).decode("utf-8", "surrogateescape")
    return [path for path in tracked.split("\0") if path and _is_regular(copy / path)]


def sources(
    present: Sequence[str], paths: Sequence[str] | None, fits: Callable[[str], bool]
) -> list[str]:
    """The files to examine: those that fit below `paths`, or without paths all but the tests.

    A file that `paths` names is examined whether it fits or not. Raises NoSuchSources for a path
    below which there is no file.
    """
    if paths is None:
        return [p for p in present if fits(p) and not _is_test(p) and not is_foreign(p)]
    chosen: dict[str, None] = {}
    for configured in paths:
        wanted = posixpath.normpath(configured)
        below = below_path(present, configured, "security.paths")
        chosen |= dict.fromkeys(p for p in below if p == wanted or (fits(p) and not is_foreign(p)))
    return list(chosen)


def below_path(present: Sequence[str], configured: str, key: str) -> list[str]:
    """The files at or below a path that the pipeline file's `key` names.

    Raises NoSuchSources when there is none.
    """
    wanted = posixpath.normpath(configured)
    below = [p for p in present if wanted in (".", p) or p.startswith(f"{wanted}/")]
    if not below:
        raise NoSuchSources(f"{key}: {configured} not found at this commit")
    return below


def is_foreign(path: str) -> bool:
    """Whether a file lies in one of the FOREIGN_FOLDERS."""
    return not FOREIGN_FOLDERS.isdisjoint(PurePosixPath(path).parts[:-1])


def _is_regular(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _is_test(path: str) -> bool:
    *folders, name = PurePosixPath(path).parts
    return (
        not _TEST_FOLDERS.isdisjoint(folders)
        or name == "conftest.py"
        or name.startswith("test_")
        or name.endswith(_TEST_NAMES)
    )
