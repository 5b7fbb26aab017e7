"""Pieces of a repository's Python sources: the function around a line, a test, a module."""

import ast
import warnings
from dataclasses import dataclass
from pathlib import Path

from activities.healing.guard_module import Definition, decode, definitions

_LONGEST_FUNCTION = 150
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


def of_test(root: Path, node_id: str) -> Excerpt | None:
    """The source of a test by pytest's node id, parameters or not; None when it is not found."""
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
