"""Which functions of a package two versions of it do not have in common."""

import ast
import copy
from collections.abc import Iterator, Mapping

from benchmarks.healing_corpus.mutation import Function

Target = tuple[str, str]
"""A file, and the qualified name of a function in it."""


def changed_functions(
    before: Mapping[str, bytes], after: Mapping[str, bytes]
) -> tuple[Target, ...]:
    """The functions whose own code differs, innermost ones.

    Where a file differs outside of functions too, every function of it may behave otherwise.
    """
    targets: list[Target] = []
    for path in sorted({*before, *after}):
        old, new = _parts(before.get(path, b"")), _parts(after.get(path, b""))
        names = [name for name in {**old, **new} if name]
        if old.get("") != new.get(""):
            targets += [(path, name) for name in names]
        else:
            targets += [(path, name) for name in names if old.get(name) != new.get(name)]
    return tuple(targets)


def same_program(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> bool:
    """Whether all files have the same syntax trees."""
    return before.keys() == after.keys() and all(
        ast.dump(ast.parse(before[path])) == ast.dump(ast.parse(after[path])) for path in before
    )


def _parts(data: bytes) -> dict[str, list[str]]:
    """The code of each function without that of the functions in it; "" is the rest."""
    tree = ast.parse(data)
    parts: dict[str, list[str]] = {}
    for name, function in _functions(tree, ""):
        parts.setdefault(name, []).append(ast.dump(_hollow(function)))
    parts[""] = [ast.dump(_hollow(tree))]
    return parts


def _functions(node: ast.AST, prefix: str) -> Iterator[tuple[str, Function]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function):
            name = f"{prefix}{child.name}"
            yield name, child
            yield from _functions(child, f"{name}.<locals>.")
        elif isinstance(child, ast.ClassDef):
            yield from _functions(child, f"{prefix}{child.name}.")
        else:
            yield from _functions(child, prefix)


def _hollow(node: ast.AST) -> ast.AST:
    """A copy in which the functions below the node have no content."""

    class Emptied(ast.NodeTransformer):
        def visit_FunctionDef(self, function: ast.FunctionDef) -> ast.AST:
            return ast.Name(id=f"def {function.name}", ctx=ast.Load())

        def visit_AsyncFunctionDef(self, function: ast.AsyncFunctionDef) -> ast.AST:
            return ast.Name(id=f"def {function.name}", ctx=ast.Load())

    # The node itself may be a function and stays; those below it are emptied.
    return Emptied().generic_visit(copy.deepcopy(node))
