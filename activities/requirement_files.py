"""The files that say what a repository depends on, wherever they lie."""

import re
from collections.abc import Iterable
from pathlib import Path

_AT_THE_ROOT = ("pyproject.toml", "setup.py", "setup.cfg", "MANIFEST.in", "constraints.txt")
_OF_A_PROJECT = ("pyproject.toml", "setup.py", "setup.cfg")
# pip.pypa.io/en/stable/reference/requirements-file-format: another file, or a project's folder.
_MENTION = re.compile(
    r"\s*(?:(?:-r|-c|-e|--requirement|--constraint|--editable)[\s=]+)?(?P<path>[^\s#;\[]+)"
)
_LARGEST = 1 << 20


def dependency_files(root: Path, configured: Iterable[str]) -> list[str]:
    """The files below `root` that decide what is installed, as paths from there.

    These are those at the root, the `configured` requirement files, and all that one of them names
    with `-r`, `-c` or as a folder. What leads out of the root is left out.
    """
    found: dict[str, None] = {}
    open_paths = [root / name for name in (*_AT_THE_ROOT, *configured)]
    open_paths += [*sorted(root.glob("requirements*")), *sorted((root / "requirements").glob("*"))]
    while open_paths:
        path = open_paths.pop(0)
        name = _name(root, path)
        if name is None or name in found:
            continue
        found[name] = None
        if path.suffix in (".txt", ".in", ".pip") and path.stat().st_size <= _LARGEST:
            open_paths += _mentioned(path)
    return sorted(found)


def _name(root: Path, path: Path) -> str | None:
    if not path.is_file():
        return None
    real, base = path.resolve(), root.resolve()
    return str(real.relative_to(base)) if real.is_relative_to(base) else None


def _mentioned(path: Path) -> list[Path]:
    paths = []
    for line in path.read_text("utf-8", "replace").splitlines():
        mention = _MENTION.match(line)
        if mention is None or "\0" in mention["path"]:
            continue
        named = path.parent / mention["path"]
        paths += [named, *(named / name for name in _OF_A_PROJECT)]
    return paths
