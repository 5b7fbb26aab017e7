"""Pieces of a repository's sources: the function around a line, a test, a module.

Python is parsed; sources in other languages are cut by their indentation.
"""

import ast
import warnings
from dataclasses import dataclass
from pathlib import Path

from activities.healing.guard_module import Definition, decode, definitions
from activities.healing.guard_paths import is_test_path
from activities.healing.indented_source import block_around, block_of_test
from activities.healing.script_imports import SUFFIXES, imported_scripts
from regreen.contracts.testing import TestFailure

_LONGEST_FUNCTION = 150
_LONGEST_TEST = 60
_MARGIN = 15


@dataclass(frozen=True)
class Excerpt:
    """Consecutive lines of one file, 1-based and inclusive, exactly as they stand there."""

    path: str
    first: int
    last: int
    text: str


def read_source(root: Path, path: str) -> str | None:
    """The text of a file inside of `root`; None when it is missing, elsewhere, or not text."""
    file = root / path
    try:
        if not file.resolve().is_relative_to(root.resolve()):
            return None
        content = file.read_bytes()
        return decode(content) if file.suffix == ".py" else content.decode()
    except (OSError, SyntaxError, ValueError):
        return None


def around_line(root: Path, path: str, line: int) -> Excerpt | None:
    """The outermost function around a line that is short enough to show.

    Outside of functions, and in one that is too long, the lines near the line. None when there is
    no such line.
    """
    text = read_source(root, path)
    if text is None:
        return None
    lines = text.split("\n")
    if not 0 < line <= len(lines):
        return None
    if not path.endswith(".py"):
        near = max(1, line - _MARGIN), min(len(lines), line + _MARGIN)
        first, last = block_around(lines, line, _LONGEST_FUNCTION) or near
        return Excerpt(path, first, last, "\n".join(lines[first - 1 : last]))
    spans = [
        (_first_line(node), node.end_lineno or node.lineno)
        for _, node in _definitions(text)
        if not isinstance(node, ast.ClassDef)
    ]
    around = [span for span in spans if span[0] <= line <= span[1]]
    short = [span for span in around if span[1] - span[0] < _LONGEST_FUNCTION]
    outer = around[0] if around else (1, len(lines))
    near = max(outer[0], line - _MARGIN), min(outer[1], line + _MARGIN)
    first, last = short[0] if short else near
    return Excerpt(path, first, last, "\n".join(lines[first - 1 : last]))


def file_of_test(failure: TestFailure) -> str:
    """The file of a failing test: the id begins with it, or its stack trace leads there."""
    named = failure.node_id.split("::")[0]
    inside = [frame.path for frame in failure.frames if is_test_path(frame.path)]
    return inside[-1] if inside and not named.endswith(".py") else named


def of_test(root: Path, failure: TestFailure) -> Excerpt | None:
    """The source of a failing test; None when it is not found."""
    path = file_of_test(failure)
    if path.endswith(".py"):
        return _of_pytest(root, failure.node_id)
    text = read_source(root, path)
    if text is None:
        return None
    lines = text.split("\n")
    near = [frame.line for frame in failure.frames if frame.path == path]
    name = failure.node_id.rpartition("::")[2]
    first, last = block_of_test(lines, name, near[-1] if near else 0, _LONGEST_TEST)
    return Excerpt(path, first, last, "\n".join(lines[first - 1 : last]))


def _of_pytest(root: Path, node_id: str) -> Excerpt | None:
    """By pytest's node id, with parameters or without."""
    path, *names = node_id.split("::")
    text = read_source(root, path)
    if text is None or not names:
        return None
    wanted = ".".join(name.split("[", 1)[0] for name in names)
    for name, node in _definitions(text):
        if name == wanted:
            first, last = _first_line(node), node.end_lineno or node.lineno
            return Excerpt(path, first, last, "\n".join(text.split("\n")[first - 1 : last]))
    return None


def imported_modules(root: Path, path: str) -> list[str]:
    """Paths of the repository's own modules that a file imports, in the order of the imports."""
    if path.endswith(SUFFIXES):
        return imported_scripts(root, path)
    tree = _parse(read_source(root, path) or "")
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names += [f"{node.module}.{alias.name}" for alias in node.names]
            names.append(node.module)
    found: list[str] = []
    for name in names:
        parts = name.replace(".", "/")
        for candidate in (f"{parts}.py", f"src/{parts}.py", f"{parts}/__init__.py"):
            if candidate not in found and (root / candidate).is_file():
                found.append(candidate)
    return found


def _parse(text: str) -> ast.Module:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ast.Module(body=[], type_ignores=[])


def _definitions(text: str) -> list[tuple[str, Definition]]:
    return list(definitions(_parse(text)))


def _first_line(node: Definition) -> int:
    return min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
