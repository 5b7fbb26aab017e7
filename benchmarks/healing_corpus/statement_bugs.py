"""Tier d: a statement lost or in the wrong place, a wrong or lost return, a lost `self.`."""

import ast
from collections.abc import Iterator

from benchmarks.healing_corpus.mutation import Code, Mutation, parameters


def mutations(code: Code) -> Iterator[Mutation]:
    """Every bug of this tier that the file has room for."""
    for node in code.nodes:
        if isinstance(node, ast.Attribute):
            if isinstance(node.value, ast.Name) and node.value.id == "self":
                yield code.replaced(node, node.attr, "d", "lost-self")
        elif isinstance(node, ast.Await):
            yield code.replaced(node, code.text(node.value), "d", "lost-await")
        elif isinstance(node, ast.stmt) and code.function(node) is not None:
            yield from _statement(code, node)


def _statement(code: Code, node: ast.stmt) -> Iterator[Mutation]:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield code.replaced(node, "pass", "d", "lost-call")
    elif isinstance(node, ast.AugAssign):
        yield code.replaced(node, "pass", "d", "lost-assignment")
    elif isinstance(node, ast.Assign):
        yield from _assignment(code, node)
    elif isinstance(node, ast.Continue):
        yield code.replaced(node, "pass", "d", "lost-continue")
        yield code.replaced(node, "break", "d", "break-for-continue")
    elif isinstance(node, ast.Break):
        yield code.replaced(node, "pass", "d", "lost-break")
        yield code.replaced(node, "continue", "d", "continue-for-break")
    elif isinstance(node, ast.Raise) and node.exc is not None:
        yield code.replaced(node, "pass", "d", "lost-raise")
    elif isinstance(node, ast.Return) and node.value is not None:
        yield from _return(code, node)
    yield from _moved(code, node)


def _assignment(code: Code, node: ast.Assign) -> Iterator[Mutation]:
    target = node.targets[0]
    if isinstance(target, ast.Attribute | ast.Subscript):
        yield code.replaced(node, "pass", "d", "lost-assignment")
        return
    function = code.function(node)
    assert function is not None
    given = {each.arg for each in parameters(function)}
    if isinstance(target, ast.Name) and (target.id in given or _assigned_before(code, node)):
        yield code.replaced(node, "pass", "d", "lost-assignment")


def _assigned_before(code: Code, node: ast.Assign) -> bool:
    """Whether the name already has a value, so that a lost assignment leaves an old one."""
    function, (target, *_) = code.function(node), node.targets
    assert function is not None and isinstance(target, ast.Name)
    return any(
        isinstance(each, ast.Name)
        and isinstance(each.ctx, ast.Store)
        and each.id == target.id
        and code.start(each) < code.start(node)
        for each in ast.walk(function)
    )


def _return(code: Code, node: ast.Return) -> Iterator[Mutation]:
    assert node.value is not None
    function = code.function(node)
    assert function is not None
    if node is not function.body[-1]:
        yield code.replaced(node, "pass", "d", "lost-early-return")
    if not isinstance(node.value, ast.Constant):
        yield code.replaced(node, code.text(node.value), "d", "lost-return")
    if isinstance(node.value, ast.Name):
        for other in code.variables(function)[:4]:
            if other != node.value.id:
                yield code.replaced(node.value, other, "d", "wrong-return")
    elif isinstance(node.value, ast.Call):
        for argument in node.value.args[:2]:
            if not isinstance(argument, ast.Starred):
                yield code.replaced(node.value, code.text(argument), "d", "wrong-return")


def _moved(code: Code, node: ast.stmt) -> Iterator[Mutation]:
    """The statement after a block slips into it, or the last of a block slips out of it."""
    if node.lineno != node.end_lineno:
        return
    block = code.siblings(node)
    at = block.index(node)
    indentation = code.indentation(node)
    if indentation.strip():
        return
    line = code.line_start(node.lineno)
    if at and isinstance(block[at - 1], ast.For | ast.While | ast.If):
        above = block[at - 1]
        inner = above.orelse or above.body  # type: ignore[attr-defined]
        deeper = code.indentation(inner[-1])
        if deeper.isspace() and len(deeper) > len(indentation):
            yield code.spliced(line, code.start(node), deeper, "d", "slipped-into-block")
    parent = code.parents[node]
    if (
        isinstance(parent, ast.For | ast.While)
        and node is parent.body[-1]
        and len(parent.body) > 1
        and not parent.orelse
    ):
        outer = code.indentation(parent)
        if not outer.strip():
            yield code.spliced(line, code.start(node), outer, "d", "slipped-out-of-block")
