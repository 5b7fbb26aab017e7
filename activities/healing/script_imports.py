"""What scripts import from their own repository: JavaScript and TypeScript."""

import posixpath
import re
from pathlib import Path

SUFFIXES = (".js", ".mjs", ".cjs", ".jsx", ".ts", ".mts", ".cts", ".tsx")
_IMPORT = re.compile(r"""(?:\bfrom|\bimport|\brequire\s*\(|\bimport\s*\()\s*["'](\.[^"'\n]*)["']""")
_MOST = 20


def imported_scripts(root: Path, path: str) -> list[str]:
    """Paths of the repository's files that a script imports, and those that they import in turn.

    At most twenty, the nearest first.
    """
    found: list[str] = []
    waiting = [path]
    while waiting and len(found) < _MOST:
        current = waiting.pop(0)
        for name in _IMPORT.findall(_text(root, current)):
            target = _resolved(root, posixpath.join(posixpath.dirname(current), name))
            if target and target != path and target not in found:
                found.append(target)
                waiting.append(target)
    return found[:_MOST]


def _text(root: Path, path: str) -> str:
    file = root / path
    if not file.is_file() or not file.resolve().is_relative_to(root.resolve()):
        return ""
    return file.read_bytes().decode("utf-8", "replace")


def _resolved(root: Path, name: str) -> str:
    plain = posixpath.normpath(name)
    if plain.startswith(("..", "/")):
        return ""
    # TypeScript imports `./price.js` where there is a `price.ts`.
    stem = posixpath.splitext(plain)[0]
    candidates = [plain, *(f"{plain}{suffix}" for suffix in SUFFIXES)]
    candidates += [f"{stem}{suffix}" for suffix in SUFFIXES]
    candidates += [f"{plain}/index{suffix}" for suffix in SUFFIXES]
    return next((each for each in candidates if (root / each).is_file()), "")
