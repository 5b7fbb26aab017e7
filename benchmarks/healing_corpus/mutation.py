"""A source file as the injector sees it, and one bug as a replaced span of it."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

TIERS = {
    "a": "operators, constants, boundaries",
    "b": "names",
    "c": "conditions",
    "d": "statements",
    "e": "real-bug patterns",
}

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Mutation:
    """One bug: the bytes from `start` to `end` of a file become `replacement`."""

    path: str
    start: int
    end: int
    replacement: str
    tier: str
    """A key of TIERS."""
    pattern: str
    line: int
    """1-based, of the replaced span's first line."""

    def applied(self, data: bytes) -> bytes:
        """The file's content with the bug in it."""
        return data[: self.start] + self.replacement.encode() + data[self.end :]


class Code:
    """One parsed file with what the patterns ask of it: parents, functions, byte offsets."""

    def __init__(self, path: str, data: bytes) -> None:
        self.path = path
        self.data = data
        self.tree = ast.parse(data)
        self._lines = [0]
        for line in data.splitlines(keepends=True):
            self._lines.append(self._lines[-1] + len(line))
        self.parents: dict[ast.AST, ast.AST] = {}
        self.nodes: list[ast.AST] = []
        self._visit(self.tree)

    def _visit(self, node: ast.AST) -> None:
        if isinstance(node, ast.JoinedStr):
            return  # Before Python 3.12 the positions inside are not those of the file.
        for name, value in ast.iter_fields(node):
            # A wrong annotation is no bug at run time, a wrong decorator hardly a small one.
            if name in ("annotation", "returns", "decorator_list", "type_params"):
                continue
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST) and not is_docstring(child):
                    self.parents[child] = node
                    self.nodes.append(child)
                    self._visit(child)

    def all(self, *kinds: type[ast.AST]) -> Iterator[ast.AST]:
        """The nodes of these kinds in the order of the text."""
        return (node for node in self.nodes if isinstance(node, kinds))

    def start(self, node: ast.AST) -> int:
        """Byte offset at which a node begins."""
        return self._lines[node.lineno - 1] + node.col_offset  # type: ignore[attr-defined, no-any-return]

    def end(self, node: ast.AST) -> int:
        """Byte offset just past a node."""
        return self._lines[node.end_lineno - 1] + node.end_col_offset  # type: ignore[attr-defined, no-any-return]

    def text(self, node: ast.AST) -> str:
        """The source of a node."""
        return self.data[self.start(node) : self.end(node)].decode()

    def line_start(self, line: int) -> int:
        """Byte offset of a 1-based line's first character."""
        return self._lines[line - 1]

    def indentation(self, statement: ast.stmt) -> str:
        """What stands before a statement on its line."""
        return self.data[self.line_start(statement.lineno) : self.start(statement)].decode()

    def function(self, node: ast.AST) -> Function | None:
        """The innermost function around a node."""
        around = self.parents.get(node)
        while around is not None and not isinstance(around, Function):
            around = self.parents.get(around)
        return around

    def statement(self, node: ast.AST) -> ast.stmt:
        """The innermost statement around a node, or the node itself."""
        while not isinstance(node, ast.stmt):
            node = self.parents[node]
        return node

    def siblings(self, statement: ast.stmt) -> list[ast.stmt]:
        """The block that a statement stands in."""
        parent = self.parents[statement]
        for _, value in ast.iter_fields(parent):
            if isinstance(value, list) and statement in value:
                return value
        return [statement]

    def variables(self, function: Function) -> list[str]:
        """Parameters and assigned names of a function, in order of appearance."""
        names = [each.arg for each in parameters(function)]
        for node in ast.walk(function):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names.append(node.id)
        return [name for name in dict.fromkeys(names) if name not in ("self", "cls", "_")]

    @cached_property
    def attributes(self) -> dict[str, list[str]]:
        """Which attributes are read of a name, by that name."""
        found: dict[str, list[str]] = {}
        for node in self.all(ast.Attribute):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                found.setdefault(node.value.id, []).append(node.attr)
        return {name: list(dict.fromkeys(each)) for name, each in found.items()}

    def replaced(self, node: ast.AST, text: str, tier: str, pattern: str) -> Mutation:
        """The bug that puts `text` in the place of a node."""
        return self.spliced(self.start(node), self.end(node), text, tier, pattern)

    def spliced(self, start: int, end: int, text: str, tier: str, pattern: str) -> Mutation:
        """The bug that puts `text` in the place of a span of bytes."""
        line = self.data.count(b"\n", 0, start) + 1
        return Mutation(self.path, start, end, text, tier, pattern, line)

    def between(
        self, left: ast.AST, right: ast.AST, old: str, new: str, tier: str, pattern: str
    ) -> Iterator[Mutation]:
        """The bug that exchanges an operator between two nodes, where it stands there once."""
        start, end = self.end(left), self.start(right)
        gap = self.data[start:end].decode()
        if gap.count(old) == 1 and "#" not in gap:
            at = start + len(gap[: gap.index(old)].encode())
            yield self.spliced(at, at + len(old.encode()), new, tier, pattern)


def parameters(function: Function) -> list[ast.arg]:
    """The named parameters of a function."""
    given = function.args
    return [*given.posonlyargs, *given.args, *given.kwonlyargs]


def is_docstring(node: ast.AST) -> bool:
    """Whether a statement is only a text."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
