"""What a test asks, and what an expression of constants is worth, in canonical values."""

import ast
from collections.abc import Iterator

from activities.healing.guard_literals import canonical
from activities.healing.guard_module import Function, Module
from activities.healing.guard_operations import Unknown

LOOKUPS = {"get", "pop", "setdefault", "__getitem__"}
"""Methods that look a key up."""

_MATCHERS = {"match", "fullmatch", "search", "startswith", "endswith", "find", "count", "index"}
_MATCHERS |= {"isclose"}
_CONTENTS = {"strip", "any", "len", "exists", "keys", "values", "items", "lookup", "find"}
_GRADES = ast.Lt | ast.LtE | ast.Gt | ast.GtE
_NOTHING = {"", "None", "0"}


def constant(node: ast.expr, module: Module) -> tuple[str, ...] | None:
    """The plain values of a constant, also of an object made from nothing but constants."""
    try:
        return tuple(flat(module.folding.value(node)))
    except Unknown:
        pass
    if isinstance(node, ast.Call) and (node.args or node.keywords):
        arguments = [*node.args, *(each.value for each in node.keywords)]
        parts = [constant(each, module) for each in arguments]
        if not isinstance(node.func, ast.Name | ast.Attribute):
            return None
        if isinstance(node.func, ast.Attribute) and _depends(node.func.value, module):
            return None
        values = [value for part in parts if part is not None for value in part]
        return tuple(values) if None not in parts else None
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        parts = [constant(each, module) for each in node.elts]
        values = [value for part in parts if part is not None for value in part]
        return tuple(values) if None not in parts else None
    return None


def _depends(node: ast.expr, module: Module) -> bool:
    return any(
        isinstance(each, ast.Name) and module.folding.scopes.is_local(each)
        for each in ast.walk(node)
    )


def pins(test: ast.expr, module: Module) -> tuple[list[ast.expr], list[str]]:
    """What a test compares for equality, and the constants that it is compared with."""
    subjects: list[ast.expr] = []
    inputs: list[str] = []
    for node in _expanded(test, module):
        sides: list[ast.expr] = []
        if isinstance(node, ast.Compare):
            if all(isinstance(op, ast.Eq | ast.In | ast.Is) for op in node.ops):
                sides = [node.left, *node.comparators]
        elif isinstance(node, ast.Call):
            func = node.func
            name = func.attr if isinstance(func, ast.Attribute) else ""
            name = func.id if isinstance(func, ast.Name) else name
            if name in _MATCHERS:
                sides = list(node.args)
                sides += [func.value] if isinstance(func, ast.Attribute) else []
        for side in sides:
            values = constant(side, module)
            if values:
                inputs += values
            elif not _is_module(side, module):
                subjects.append(side)
    return subjects, inputs


def _expanded(test: ast.expr, module: Module) -> Iterator[ast.AST]:
    """The nodes of a test, and of what the names in it stand for."""
    for node in ast.walk(test):
        yield node
        for bound in module.folding.bound(node) if isinstance(node, ast.Name) else ():
            if isinstance(bound, ast.Compare | ast.BoolOp | ast.Call):
                yield from ast.walk(bound)


def _is_module(node: ast.expr, module: Module) -> bool:
    return isinstance(node, ast.Name) and node.id in module.imports


def is_graded(test: ast.expr) -> bool:
    """Whether a test asks for more or less than something."""
    return isinstance(test, ast.Compare) and isinstance(test.ops[0], _GRADES)


def asks_for_nothing(test: ast.expr, is_text: bool, module: Module) -> bool:
    """Whether a test asks for an empty, missing or negative input, or for one of a wrong type.

    A text may be the answer to more of such questions than a number.
    """
    match test:
        case ast.UnaryOp(op=ast.Not(), operand=ast.Name() as asked):
            meant = [ast.UnaryOp(ast.Not(), each) for each in module.folding.bound(asked)]
            return all(asks_for_nothing(each, is_text, module) for each in meant)
        case ast.UnaryOp(op=ast.Not(), operand=ast.Attribute()):
            return True
        case ast.UnaryOp(op=ast.Not(), operand=ast.Call(func=ast.Name(id=name))) if name in {
            "isinstance",
            "callable",
            "hasattr",
        }:
            return True
        case ast.UnaryOp(op=ast.Not(), operand=ast.Subscript() | ast.Call() as asked):
            name = getattr(asked.func, "attr", "") if isinstance(asked, ast.Call) else "get"
            name = name or getattr(getattr(asked, "func", None), "id", "")
            return is_text and (name in LOOKUPS | _CONTENTS)
        case ast.UnaryOp(
            op=ast.Not(), operand=ast.Compare(ops=[ast.IsNot() | ast.NotEq()]) as asked
        ):
            values = constant(asked.comparators[0], module)
            return values is not None and _NOTHING.issuperset(values)
        case ast.UnaryOp(op=ast.Not(), operand=ast.Compare(ops=[ast.Gt()], comparators=[other])):
            return constant(other, module) == ("0",)
        case ast.Compare(ops=[ast.Is() | ast.Eq() | ast.NotIn()], comparators=[other]):
            values = constant(other, module)
            empty = values is not None and _NOTHING.issuperset(values)
            return empty or isinstance(test.ops[0], ast.NotIn)
        case ast.Compare(ops=[ast.Lt() | ast.LtE() | ast.Gt() | ast.GtE()], comparators=[other]):
            values = constant(other, module)
            return is_text and values in {("0",), ("1",)}
        case ast.Call(func=ast.Attribute(attr="isnan" | "isinf" | "isspace" | "exists")):
            return True
        case ast.BoolOp(values=values):
            return all(asks_for_nothing(each, is_text, module) for each in values)
    return False


def blocks(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    """The blocks of a statement."""
    for name in ("body", "orelse", "finalbody"):
        yield getattr(statement, name, [])
    for handler in getattr(statement, "handlers", []):
        yield handler.body


def all_blocks(body: list[ast.stmt]) -> Iterator[list[ast.stmt]]:
    """A block and those within it, without those of functions and classes."""
    yield body
    for statement in body:
        if not isinstance(statement, Function | ast.ClassDef):
            for block in blocks(statement):
                yield from all_blocks(block)


def leaves(body: list[ast.stmt]) -> bool:
    """Whether a block ends by leaving it."""
    return bool(body) and isinstance(body[-1], ast.Return | ast.Raise | ast.Continue | ast.Break)


def negated(test: ast.expr) -> ast.expr:
    """The opposite of a test; `a != b` becomes `a == b`."""
    opposites: dict[type[ast.cmpop], type[ast.cmpop]] = {ast.NotEq: ast.Eq, ast.NotIn: ast.In}
    if isinstance(test, ast.Compare) and type(test.ops[0]) in opposites and len(test.ops) == 1:
        return ast.Compare(test.left, [opposites[type(test.ops[0])]()], test.comparators)
    if isinstance(test, ast.Compare) and isinstance(test.ops[0], ast.Eq | ast.In):
        return ast.UnaryOp(ast.Not(), ast.Constant(None))
    return ast.UnaryOp(ast.Not(), test)


def flat(value: object) -> Iterator[str]:
    """The canonical values in a value; an empty sequence is an empty text."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from flat(key)
            yield from flat(each)
    elif isinstance(value, list | tuple | set | frozenset):
        if not value:
            yield ""
        for each in value:
            yield from flat(each)
    else:
        yield canonical(value)
