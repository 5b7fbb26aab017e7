"""Guard rule `patched-module`: changing another module for the whole program."""

import ast
import sys
from collections.abc import Iterator

from activities.healing.guard_module import Finding, Function, Module

_SETTERS = {"setattr", "delattr"}
_WRITES = {"update", "setdefault", "pop", "popitem", "clear", "__setitem__", "__delitem__"}
_OWN_WRITES = {"__setattr__", "__delattr__"}


def find_patched(module: Module) -> Iterator[Finding]:
    """Assignments to attributes of what is imported, in any spelling."""
    functions = {node.name for node in module.nodes if isinstance(node, Function)}
    values = {
        id(target): node.value
        for node in module.nodes
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
    }
    for node in module.nodes:
        for base, name in _written(node, module):
            origin = _imported(base, module)
            if origin is None:
                continue
            value = values.get(id(node))
            is_plain = value is not None and not isinstance(value, ast.Lambda)
            is_plain &= not (isinstance(value, ast.Name) and value.id in functions)
            if is_plain and _may_be_an_object(base, name, module):
                continue
            reason = f"assigns to an attribute of {origin}, which this file imports"
            line = getattr(node, "lineno", 0)
            yield Finding("patched-module", ast.unparse(node), line, reason)


def _written(node: ast.AST, module: Module) -> Iterator[tuple[ast.expr, str]]:
    """What a node writes to, and under which name."""
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
        yield node.value, node.attr
    elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
        base = _dictionary_of(node.value, module)
        if base is not None:
            yield base, ""
    elif isinstance(node, ast.Call):
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name in _SETTERS and node.args:
            yield node.args[0], ""
        if isinstance(node.func, ast.Attribute):
            if node.func.attr in _OWN_WRITES:
                yield node.args[0] if len(node.args) == 3 else node.func.value, ""
            base = _dictionary_of(node.func.value, module)
            if node.func.attr in _WRITES and base is not None:
                yield base, ""
        for each in node.args:
            base = _dictionary_of(each, module)
            if base is not None and isinstance(module.imports.get(_root(base)), str):
                yield base, ""


def _dictionary_of(node: ast.expr, module: Module) -> ast.expr | None:
    if isinstance(node, ast.Name):
        bound = module.folding.bound(node)
        node = bound[0] if len(bound) == 1 else node
    match node:
        case ast.Attribute(attr="__dict__", value=base):
            return base
        case ast.Call(func=ast.Name(id="vars"), args=[base]):
            return base
    return None


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _imported(base: ast.expr, module: Module) -> str | None:
    origin = module.origin(base)
    if origin is None or origin.startswith("builtins."):
        return None
    return origin


def _may_be_an_object(base: ast.expr, name: str, module: Module) -> bool:
    """`from flask import g; g.user = …` writes to an object, as far as can be read."""
    root = _root(base)
    origin = module.imports.get(root, "")
    first, _, _ = origin.lstrip(".").partition(".")
    return (
        bool(name)
        and "." in origin
        and not name.startswith("__")
        and not name.isupper()
        and root.islower()
        and first not in sys.stdlib_module_names
        and _is_from_import(root, module)
    )


def _is_from_import(name: str, module: Module) -> bool:
    return any(
        isinstance(node, ast.ImportFrom)
        and any((alias.asname or alias.name) == name for alias in node.names)
        for node in module.nodes
    )
