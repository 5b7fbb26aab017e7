"""Which requirement files a repository's tests need, found by their names and places."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

_FOR_TESTS = ("tests", "test", "testing", "dev", "develop", "development", "ci")
_FOR_USE = ("base", "main", "common", "runtime", "prod", "production", "requirements")
_PLACES = ("requirements/{}.txt", "requirements/requirements-{}.txt")
_PLACES_OF_TESTS = (*_PLACES, "{}-requirements.txt", "{}_requirements.txt")
_BESIDE_TESTS = ("tests/requirements.txt", "test/requirements.txt")


def requirement_files(files: Sequence[str], projects: Sequence[str], installed: bool) -> list[str]:
    """What `build.requirements` has to name; empty where its default finds all there is.

    `projects` are the folders of Python projects below the root, `installed` is whether the root is
    a project, which brings what it needs to be used.
    """
    at_the_root = [name for name in files if fnmatchcase(name, "requirements*.txt")]
    at_the_root = sorted(name for name in at_the_root if "/" not in name)
    more: list[str] = []
    if not installed and not at_the_root:
        more += _first(files, _FOR_USE, _PLACES)
    more += _first(files, _FOR_TESTS, _PLACES_OF_TESTS)
    more += [name for name in _BESIDE_TESTS if name in files]
    for folder in projects:
        more += [name for name in files if _belongs(name, folder)]
    return [*at_the_root, *more] if more else []


def _first(files: Sequence[str], kinds: Sequence[str], places: Sequence[str]) -> list[str]:
    named = (place.format(kind) for kind in kinds for place in places)
    return next(([name] for name in named if name in files), [])


def _belongs(name: str, folder: str) -> bool:
    path = PurePosixPath(name)
    known = path.name == "pyproject.toml" or fnmatchcase(path.name, "requirements*.txt")
    return known and str(path.parent) == folder


def python_projects(files: Sequence[str]) -> list[str]:
    """The folders below the root that hold a Python project of their own, such as of a monorepo."""
    found = {
        str(PurePosixPath(name).parent)
        for name in files
        if PurePosixPath(name).name in ("pyproject.toml", "setup.py", "requirements.txt")
    }
    aside = {"requirements", "tests", "test", "docs", "doc", "examples", "node_modules", "vendor"}
    return sorted(each for each in found if each != "." and aside.isdisjoint(each.split("/")))


def import_roots(files: Sequence[str], projects: Sequence[str]) -> list[str]:
    """The folders that the projects' modules are imported from: `src` where there is one."""
    return [
        f"{folder}/src" if any(name.startswith(f"{folder}/src/") for name in files) else folder
        for folder in projects
    ]
