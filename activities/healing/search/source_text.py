"""A Python file as text, tree and bytes at once, so that an edit of the tree is a span of bytes."""

import ast
import bisect
import hashlib
import io
import marshal
import re
import tokenize
import types
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

_NEWLINE = re.compile(r"\r\n|\r|\n")
_FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Unit:
    """The smallest piece of a file that compiles alone: a function, or a top-level statement."""

    start: int
    end: int
    line: int
    headers: tuple[tuple[int, str], ...]
    """Indentation and name of the classes around a function, outermost first."""
    chain: tuple[tuple[str, int], ...]
    """Name and first line of the functions around the edit, outermost first; empty: none."""

    def text(self, piece: str) -> str:
        """A module that holds `piece` in the unit's place and nothing else."""
        lines = [f"{' ' * indent}class {name}:" for indent, name in self.headers]
        padding = "\n" * max(0, self.line - 1 - len(lines))
        return padding + "".join(f"{line}\n" for line in lines) + piece + "\n"


@dataclass(frozen=True)
class SourceText:
    """One file of the repository, parsed."""

    path: str
    data: bytes
    text: str
    encoding: str
    tree: ast.Module
    mark: int
    """Length in bytes of the byte order mark."""
    _meanings: dict[tuple[int, int], bytes] = field(default_factory=dict, repr=False)

    @cached_property
    def line_starts(self) -> list[int]:
        """Position in the text of each line, and of the end."""
        return [0, *(match.end() for match in _NEWLINE.finditer(self.text)), len(self.text)]

    @cached_property
    def newline(self) -> str:
        """The line ending that the file uses first."""
        match = _NEWLINE.search(self.text)
        return match[0] if match else "\n"

    @cached_property
    def parents(self) -> dict[ast.AST, ast.AST]:
        """The node above each node."""
        return {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}

    def ancestors(self, node: ast.AST) -> Iterator[ast.AST]:
        """The nodes above a node, nearest first."""
        while node in self.parents:
            node = self.parents[node]
            yield node

    def position(self, line: int, column: int) -> int:
        """Position in the text of ast's line and UTF-8 column."""
        start = self.line_starts[line - 1]
        piece = self.text[start : self.line_starts[line]]
        if piece.isascii():
            return start + column
        return start + len(piece.encode()[:column].decode("utf-8", "ignore"))

    def span(self, node: ast.stmt | ast.expr | ast.arg | ast.keyword) -> tuple[int, int]:
        """Start and end of a node in the text."""
        assert node.end_lineno is not None and node.end_col_offset is not None
        return (
            self.position(node.lineno, node.col_offset),
            self.position(node.end_lineno, node.end_col_offset),
        )

    def segment(self, node: ast.stmt | ast.expr | ast.arg | ast.keyword) -> str:
        """The text of a node."""
        start, end = self.span(node)
        return self.text[start:end]

    def values_inside(self, text: ast.JoinedStr) -> list[ast.expr]:
        """The expressions of an f-string; none where the parser does not tell their true places.

        Python before 3.12 looks for an expression's text in that of the whole string and may find
        another one.
        """
        values = [part.value for part in text.values if isinstance(part, ast.FormattedValue)]
        position = self.span(text)[0]
        for value in values:
            start, end = self.span(value)
            try:
                stands_there = ast.parse(self.text[start:end].strip(), mode="eval").body
            except SyntaxError:
                return []
            if start < position or ast.dump(stands_there) != ast.dump(value):
                return []
            position = end
        return values

    def offset(self, position: int) -> int:
        """Byte offset of a position in the text."""
        if self.text.isascii():
            return self.mark + position
        return self.mark + len(self.text[:position].encode(self.encoding))

    def line_of(self, position: int) -> int:
        """1-based line of a position in the text."""
        return max(1, bisect.bisect_right(self.line_starts, position, hi=len(self.line_starts) - 1))

    def indentation(self, node: ast.stmt) -> str:
        """The white space before a statement that begins its line."""
        start = self.line_starts[node.lineno - 1]
        return self.text[start : self.span(node)[0]]

    def function_of(self, node: ast.AST) -> Function | None:
        """The innermost function whose body holds the node."""
        below = node
        for above in self.ancestors(node):
            if isinstance(above, _FUNCTION) and below in above.body:
                return above
            below = above
        return None

    def unit_of(self, node: ast.AST) -> Unit:
        """The unit that holds the node."""
        chain: list[Function] = []
        below = node
        for above in self.ancestors(node):
            if isinstance(above, _FUNCTION) and below in above.body:
                chain.append(above)
            below = above
        plain = all(
            isinstance(above, ast.Module | ast.ClassDef)
            for above in (self.ancestors(chain[-1]) if chain else ())
        )
        if chain and plain:
            outermost = chain[-1]
            classes = [c for c in self.ancestors(outermost) if isinstance(c, ast.ClassDef)]
            headers = tuple((c.col_offset, c.name) for c in reversed(classes))
            places = tuple((f.name, _first_line(f)) for f in reversed(chain))
            return self._lines_unit(outermost, headers, places)
        top = node
        for above in self.ancestors(node):
            if isinstance(above, ast.Module):
                break
            top = above
        if not isinstance(top, ast.stmt):
            return Unit(0, len(self.text), 1, (), ())
        return self._lines_unit(top, (), ())

    def _lines_unit(
        self,
        node: ast.stmt,
        headers: tuple[tuple[int, str], ...],
        chain: tuple[tuple[str, int], ...],
    ) -> Unit:
        assert node.end_lineno is not None
        first = _first_line(node)
        start, end = self.line_starts[first - 1], self.line_starts[node.end_lineno]
        return Unit(start, end, first, headers, chain)

    def meaning_of(self, unit: Unit) -> bytes:
        """What the unit compiles to as it stands."""
        key = (unit.start, unit.end)
        if key not in self._meanings:
            self._meanings[key] = meaning(unit.text(self.text[unit.start : unit.end])) or b""
        return self._meanings[key]


def _first_line(node: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def meaning(text: str) -> bytes | None:
    """What a text compiles to, without names of files and numbers of lines; None when it does not.

    Texts that mean the same to the interpreter give the same: layout and brackets do not count.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            code = compile(text, "", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
        return None
    # Version 2 writes no back references, whose places depend on reference counts.
    return hashlib.sha256(marshal.dumps(_placeless(code), 2)).digest()


def _placeless(code: types.CodeType) -> types.CodeType:
    constants = tuple(
        _placeless(one) if isinstance(one, types.CodeType) else one for one in code.co_consts
    )
    return code.replace(co_consts=constants, co_linetable=b"", co_firstlineno=1)


def read_source(path: str, data: bytes) -> SourceText | None:
    """Parse a file; None when it is not Python that this interpreter reads."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        mark = 3 if data.startswith(b"\xef\xbb\xbf") else 0
        encoding = "utf-8" if encoding == "utf-8-sig" else encoding
        text = data[mark:].decode(encoding)
        tree = ast.parse(text)
        if text[:1] == "\ufeff" or text.encode(encoding) != data[mark:]:
            return None
    except (SyntaxError, ValueError, LookupError, RecursionError):
        return None
    return SourceText(path, data, text, encoding, tree, mark)
