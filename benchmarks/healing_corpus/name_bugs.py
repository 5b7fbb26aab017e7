"""Tier b: the wrong variable, the wrong attribute, arguments in the wrong order."""

import ast
import itertools
from collections.abc import Iterator

from benchmarks.healing_corpus.mutation import Code, Mutation

_MOST_OTHERS = 3


def mutations(code: Code) -> Iterator[Mutation]:
    """Every bug of this tier that the file has room for."""
    for node in code.nodes:
        if isinstance(node, ast.Name):
            yield from _variable(code, node)
        elif isinstance(node, ast.Attribute):
            yield from _attribute(code, node)
        elif isinstance(node, ast.Call):
            yield from _arguments(code, node)
        elif isinstance(node, ast.Tuple) and isinstance(node.ctx, ast.Store):
            yield from _targets(code, node)
    yield from _functions(code)


def _variable(code: Code, node: ast.Name) -> Iterator[Mutation]:
    function = code.function(node)
    if function is None or not isinstance(node.ctx, ast.Load):
        return
    names = code.variables(function)
    if node.id not in names:
        return
    # Whoever picks the wrong variable picks one that stands near.
    at = names.index(node.id)
    near = sorted(
        (name for name in names if name != node.id), key=lambda n: abs(names.index(n) - at)
    )
    for other in near[:_MOST_OTHERS]:
        yield code.replaced(node, other, "b", "wrong-variable")


def _attribute(code: Code, node: ast.Attribute) -> Iterator[Mutation]:
    if not isinstance(node.value, ast.Name):
        return
    known = code.attributes[node.value.id]
    at = known.index(node.attr)
    near = known[max(0, at - 1) : at] + known[at + 1 : at + 2]
    for other in near:
        start = code.end(node) - len(node.attr.encode())
        yield code.spliced(start, code.end(node), other, "b", "wrong-attribute")


def _arguments(code: Code, node: ast.Call) -> Iterator[Mutation]:
    for first, second in itertools.pairwise(node.args):
        if isinstance(first, ast.Starred) or isinstance(second, ast.Starred):
            continue
        gap = code.data[code.end(first) : code.start(second)].decode()
        if gap.strip() == ",":
            text = f"{code.text(second)}{gap}{code.text(first)}"
            yield code.spliced(code.start(first), code.end(second), text, "b", "swapped-arguments")
    named = [each for each in node.keywords if each.arg]
    for one, two in itertools.pairwise(named):
        yield code.replaced(one.value, code.text(two.value), "b", "wrong-argument")


def _targets(code: Code, node: ast.Tuple) -> Iterator[Mutation]:
    if len(node.elts) == 2 and all(isinstance(each, ast.Name) for each in node.elts):
        first, second = node.elts
        gap = code.data[code.end(first) : code.start(second)].decode()
        text = f"{code.text(second)}{gap}{code.text(first)}"
        yield code.spliced(code.start(first), code.end(second), text, "b", "swapped-targets")


def _functions(code: Code) -> Iterator[Mutation]:
    """A call of the function defined next to the right one, with as many parameters."""
    defined = [each for each in code.tree.body if isinstance(each, ast.FunctionDef)]
    arity = {each.name: len(each.args.args) for each in defined}
    names = list(arity)
    for node in code.all(ast.Call):
        assert isinstance(node, ast.Call)
        if isinstance(node.func, ast.Name) and node.func.id in arity:
            alike = [n for n in names if arity[n] == arity[node.func.id] and n != node.func.id]
            at = names.index(node.func.id)
            for other in sorted(alike, key=lambda n: abs(names.index(n) - at))[:2]:
                yield code.replaced(node.func, other, "b", "wrong-function")
