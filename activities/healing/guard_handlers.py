"""Guard rule `swallowed-exception`: code that hides a failure instead of mending its cause."""

import ast
from collections.abc import Iterator

from activities.healing.guard_module import (
    Definition,
    Finding,
    Function,
    Module,
    definitions,
    own_nodes,
)
from activities.healing.guard_operations import Unknown

_BROAD = {"Exception", "BaseException", "BaseExceptionGroup", "ExceptionGroup", "AssertionError"}
# Errors of the program itself: nothing is handled by catching them.
_BROAD |= {"NameError", "UnboundLocalError", "SyntaxError", "IndentationError"}
_MOST_TYPES = 4
_EXITS = {"__exit__", "__aexit__"}
_CONTEXT_MANAGERS = {"contextlib.contextmanager", "contextlib.asynccontextmanager"}
_HANDED_ON = {"set_exception", "throw", "athrow", "put_exception"}


def find_swallowed(module: Module) -> Iterator[Finding]:
    """Handlers, `finally` blocks and context managers that drop an exception."""
    for node in module.nodes:
        if isinstance(node, ast.Try | ast.TryStar):
            for handler in node.handlers:
                yield from _handler(handler, module)
            yield from _left_finally(node)
        elif isinstance(node, ast.Call):
            yield from _calls(node, module)
        elif isinstance(node, ast.Assign):
            yield from _renamed(node, module)
    for name, definition in definitions(module.tree):
        if isinstance(definition, Function):
            yield from _exit_method(name, definition, module)
            yield from _context_manager(name, definition, module)
        else:
            yield from _assigned_exit(name, definition)


def find_covered(before: Module, after: Module) -> Iterator[Finding]:
    """Statements that stood outside of a handler which swallows, and now stand inside."""
    known = set(_statements(before)) - set(_covered(before))
    inside_before = set(_covered(before))
    for shown, line in _covered(after).items():
        if shown in known and shown not in inside_before:
            reason = f"`{shown.splitlines()[0][:60]}` moves into a handler that swallows"
            yield Finding("swallowed-exception", f"covers {shown}", line, reason)


def _statements(module: Module) -> Iterator[str]:
    for node in module.nodes:
        if isinstance(node, ast.stmt) and not isinstance(node, Definition | ast.Pass):
            yield ast.unparse(node)


def _covered(module: Module) -> dict[str, int]:
    found: dict[str, int] = {}
    for node in module.nodes:
        if isinstance(node, ast.Try | ast.TryStar):
            hides = any(True for handler in node.handlers for _ in _handler(handler, module))
            for inner in own_nodes(node.body) if hides else ():
                if isinstance(inner, ast.stmt) and not isinstance(inner, ast.Pass):
                    found.setdefault(ast.unparse(inner), inner.lineno)
    return found


def _handler(node: ast.ExceptHandler, module: Module) -> Iterator[Finding]:
    shown = f"except {ast.unparse(node.type)}" if node.type else "except"
    if _is_broad(node.type, module):
        if not _ends_by_raising(node.body) and not _hands_on(node):
            reason = f"`{shown}` is broad and does not always raise again"
            yield Finding("swallowed-exception", shown, node.lineno, reason)
    elif all(_is_empty(statement) for statement in node.body):
        reason = f"`{shown}` does nothing with the exception"
        yield Finding("swallowed-exception", f"{shown}: pass", node.lineno, reason)


def _is_broad(caught: ast.expr | None, module: Module) -> bool:
    if caught is None:
        return True
    names = list(_caught(caught, module, set()))
    distinct = {name for name in names if name is not None}
    return (
        None in names
        or len(distinct) > _MOST_TYPES
        or any(name.removeprefix("builtins.") in _BROAD for name in distinct)
    )


def _caught(node: ast.expr, module: Module, seen: set[int]) -> Iterator[str | None]:
    """The origins of the types that an `except` names; None for one that cannot be read."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, ast.Tuple | ast.List):
        for element in node.elts:
            yield from _caught(element, module, seen)
    elif isinstance(node, ast.Starred):
        yield from _caught(node.value, module, seen)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        yield from _caught(node.left, module, seen)
        yield from _caught(node.right, module, seen)
    elif isinstance(node, ast.Name | ast.Attribute):
        bound = module.folding.bound(node) if isinstance(node, ast.Name) else []
        for value in bound:
            yield from _caught(value, module, seen)
        if not bound:
            yield module.origin(node) or ast.unparse(node)
    else:
        yield None


def _ends_by_raising(body: list[ast.stmt]) -> bool:
    """Whether every way through the statements ends in a `raise`."""
    if not body:
        return False
    last = body[-1]
    if any(isinstance(node, ast.Return | ast.Break | ast.Continue) for node in own_nodes(body)):
        return False
    if isinstance(last, ast.If):
        return _ends_by_raising(last.body) and _ends_by_raising(last.orelse)
    if isinstance(last, ast.With | ast.AsyncWith):
        return _ends_by_raising(last.body)
    if isinstance(last, ast.Try):
        return _ends_by_raising(last.body) or _ends_by_raising(last.finalbody)
    return isinstance(last, ast.Raise)


def _hands_on(node: ast.ExceptHandler) -> bool:
    """Whether the exception itself is given to a future or generator, which raises it."""
    return any(
        isinstance(inner, ast.Call)
        and isinstance(inner.func, ast.Attribute)
        and inner.func.attr in _HANDED_ON
        and any(isinstance(each, ast.Name) and each.id == node.name for each in inner.args)
        for inner in own_nodes(node.body)
    )


def _is_empty(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Pass) or (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant | ast.Name | ast.Attribute | ast.Tuple)
    )


def _left_finally(node: ast.Try | ast.TryStar) -> Iterator[Finding]:
    for inner in own_nodes(node.finalbody):
        if isinstance(inner, ast.Return | ast.Break | ast.Continue):
            reason = "leaves a finally block, which drops the exception under way"
            yield Finding("swallowed-exception", "finally", inner.lineno, reason)


def _calls(node: ast.Call, module: Module) -> Iterator[Finding]:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    if name == "push" and node.args and _uses_exit_stacks(module):
        reason = "pushes a function onto an exit stack, which may drop the exception under way"
        if isinstance(node.args[0], ast.Lambda | ast.Name):
            yield Finding("swallowed-exception", "push", node.lineno, reason)
    for keyword in node.keywords:
        if keyword.arg == "return_exceptions" and module.folding.number(keyword.value) is None:
            is_off = isinstance(keyword.value, ast.Constant) and not keyword.value.value
            if not is_off and not _tells_exceptions_apart(module):
                reason = "collects exceptions as results and does not look at them"
                yield Finding("swallowed-exception", "return_exceptions", node.lineno, reason)


def _uses_exit_stacks(module: Module) -> bool:
    return any("ExitStack" in use.dotted for use in module.uses)


def _tells_exceptions_apart(module: Module) -> bool:
    return any(
        isinstance(node, ast.Call)
        and module.origin(node.func) == "builtins.isinstance"
        and len(node.args) == 2
        and (module.origin(node.args[1]) or "").endswith(("Exception", "Error"))
        for node in module.nodes
    )


def _renamed(node: ast.Assign, module: Module) -> Iterator[Finding]:
    values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
    for value in values:
        name = (module.origin(value) or "").removeprefix("builtins.")
        if name in _BROAD and isinstance(value, ast.Name | ast.Attribute):
            reason = f"gives {name} another name, to be caught under it"
            yield Finding("swallowed-exception", f"renames {name}", node.lineno, reason)


def _exit_method(
    name: str, node: ast.FunctionDef | ast.AsyncFunctionDef, module: Module
) -> Iterator[Finding]:
    if node.name not in _EXITS:
        return
    for inner in own_nodes(node.body):
        if isinstance(inner, ast.Return) and inner.value is not None:
            value = inner.value
            delegates = "__exit__" in ast.unparse(value) or "__aexit__" in ast.unparse(value)
            try:
                is_false = not module.folding.value(value)
            except Unknown:
                is_false = False
            if not is_false and not delegates:
                reason = f"{name} says that the exception is handled"
                yield Finding("swallowed-exception", name, inner.lineno, reason)


def _assigned_exit(name: str, node: ast.ClassDef) -> Iterator[Finding]:
    for inner in node.body:
        if isinstance(inner, ast.Assign) and isinstance(inner.value, ast.Lambda):
            for target in inner.targets:
                if isinstance(target, ast.Name) and target.id in _EXITS:
                    reason = f"{name}.{target.id} is a function that cannot be read"
                    yield Finding("swallowed-exception", target.id, inner.lineno, reason)


def _context_manager(
    name: str, node: ast.FunctionDef | ast.AsyncFunctionDef, module: Module
) -> Iterator[Finding]:
    if not any(module.origin(each) in _CONTEXT_MANAGERS for each in node.decorator_list):
        return
    for inner in own_nodes(node.body):
        if isinstance(inner, ast.Try | ast.TryStar) and any(
            isinstance(each, ast.Yield) for each in own_nodes(inner.body)
        ):
            for handler in inner.handlers:
                if not _ends_by_raising(handler.body):
                    reason = f"{name} drops exceptions of the code that it surrounds"
                    yield Finding("swallowed-exception", f"{name}: yield", handler.lineno, reason)
