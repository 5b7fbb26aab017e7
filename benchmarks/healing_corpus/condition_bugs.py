"""Tier c: a condition negated, a clause lost, `and` for `or`, branches exchanged."""

import ast
import itertools
from collections.abc import Iterator

from benchmarks.healing_corpus.mutation import Code, Mutation


def mutations(code: Code) -> Iterator[Mutation]:
    """Every bug of this tier that the file has room for."""
    for node in code.nodes:
        if isinstance(node, ast.If | ast.While | ast.IfExp):
            yield from _negated(code, node.test)
        if isinstance(node, ast.IfExp):
            first, second = code.text(node.body), code.text(node.orelse)
            text = f"{second} if {code.text(node.test)} else {first}"
            yield code.replaced(node, text, "c", "exchanged-branches")
        elif isinstance(node, ast.BoolOp):
            yield from _clauses(code, node)
        elif isinstance(node, ast.comprehension):
            yield from _filters(code, node)
        elif isinstance(node, ast.If) and not node.orelse:
            yield code.replaced(node.test, "True", "c", "always-true")


def _negated(code: Code, test: ast.expr) -> Iterator[Mutation]:
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        yield code.replaced(test, code.text(test.operand), "c", "lost-not")
    elif isinstance(test, ast.BoolOp | ast.NamedExpr | ast.Compare | ast.IfExp):
        yield code.replaced(test, f"not ({code.text(test)})", "c", "negated")
    else:
        yield code.replaced(test, f"not {code.text(test)}", "c", "negated")


def _clauses(code: Code, node: ast.BoolOp) -> Iterator[Mutation]:
    old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
    for left, right in itertools.pairwise(node.values):
        yield from code.between(left, right, f" {old} ", f" {new} ", "c", "and-or")
    for number, value in enumerate(node.values):
        if len(node.values) == 2:
            # The other clause stands alone, parentheses around the pair stay where they are.
            yield code.replaced(node, code.text(node.values[1 - number]), "c", "lost-clause")
        elif number:
            before = code.end(node.values[number - 1])
            yield code.spliced(before, code.end(value), "", "c", "lost-clause")
        if isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.Not):
            yield code.replaced(value, code.text(value.operand), "c", "lost-not")


def _filters(code: Code, node: ast.comprehension) -> Iterator[Mutation]:
    for number, test in enumerate(node.ifs):
        before = code.end(node.ifs[number - 1] if number else node.iter)
        yield code.spliced(before, code.end(test), "", "c", "lost-filter")
        yield from _negated(code, test)
