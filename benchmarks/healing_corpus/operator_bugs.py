"""Tier a: a wrong operator, a wrong constant, a boundary missed by one."""

import ast
from collections.abc import Iterator

from benchmarks.healing_corpus.mutation import Code, Mutation

_COMPARISONS: dict[type[ast.cmpop], tuple[str, tuple[str, ...]]] = {
    ast.Lt: ("<", ("<=", ">")),
    ast.LtE: ("<=", ("<", "==")),
    ast.Gt: (">", (">=", "<")),
    ast.GtE: (">=", (">", "==")),
    ast.Eq: ("==", ("!=",)),
    ast.NotEq: ("!=", ("==",)),
    ast.In: ("in", ("not in",)),
    ast.NotIn: ("not in", ("in",)),
}
_ARITHMETIC: dict[type[ast.operator], tuple[str, tuple[str, ...]]] = {
    ast.Add: ("+", ("-",)),
    ast.Sub: ("-", ("+",)),
    ast.Mult: ("*", ("+", "//")),
    ast.Div: ("/", ("*",)),
    ast.FloorDiv: ("//", ("%", "*")),
    ast.Mod: ("%", ("//",)),
    ast.Pow: ("**", ("*",)),
    ast.BitAnd: ("&", ("|",)),
    ast.BitOr: ("|", ("&",)),
    ast.LShift: ("<<", (">>",)),
    ast.RShift: (">>", ("<<",)),
}


def mutations(code: Code) -> Iterator[Mutation]:
    """Every bug of this tier that the file has room for."""
    for node in code.nodes:
        if isinstance(node, ast.Compare):
            yield from _comparison(code, node)
        elif isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
            old, new = _ARITHMETIC[type(node.op)]
            for other in new:
                yield from code.between(node.left, node.right, old, other, "a", "arithmetic")
        elif isinstance(node, ast.AugAssign) and type(node.op) in _ARITHMETIC:
            old, new = _ARITHMETIC[type(node.op)]
            for other in new:
                yield from code.between(
                    node.target, node.value, f"{old}=", f"{other}=", "a", "augmented-assignment"
                )
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            yield code.replaced(node, code.text(node.operand), "a", "lost-minus")
        elif isinstance(node, ast.Constant):
            yield from _constant(code, node)
        elif isinstance(node, ast.Slice | ast.Call):
            yield from _boundary(code, node)


def _boundary(code: Code, node: ast.Slice | ast.Call) -> Iterator[Mutation]:
    bounds: list[ast.expr | None] = []
    if isinstance(node, ast.Slice):
        bounds = [node.lower, node.upper]
    elif isinstance(node.func, ast.Name) and node.func.id == "range" and node.args:
        bounds = [node.args[min(1, len(node.args) - 1)]]
    for bound in bounds:
        if bound is not None and not isinstance(bound, ast.Constant | ast.Starred):
            yield code.replaced(bound, f"{_operand(code, bound)} + 1", "a", "boundary")
            yield code.replaced(bound, f"{_operand(code, bound)} - 1", "a", "boundary")


def _comparison(code: Code, node: ast.Compare) -> Iterator[Mutation]:
    sides = [node.left, *node.comparators]
    for left, operator, right in zip(sides, node.ops, node.comparators, strict=False):
        if type(operator) in _COMPARISONS:
            old, new = _COMPARISONS[type(operator)]
            for other in new:
                yield from code.between(left, right, old, other, "a", "comparison")


def _constant(code: Code, node: ast.Constant) -> Iterator[Mutation]:
    value = node.value
    if isinstance(value, bool):
        yield code.replaced(node, str(not value), "a", "boolean")
    elif isinstance(value, int) and code.text(node).isdigit():
        yield code.replaced(node, str(value + 1), "a", "number")
        if value > 0:
            yield code.replaced(node, str(value - 1), "a", "number")
    elif isinstance(value, float):
        yield code.replaced(node, repr(value * 10), "a", "number")


def _operand(code: Code, node: ast.expr) -> str:
    text = code.text(node)
    simple = isinstance(node, ast.Name | ast.Constant | ast.Attribute | ast.Call | ast.Subscript)
    return text if simple else f"({text})"
