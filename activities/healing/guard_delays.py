"""Guard rule `added-delay`: waiting and trying again in place of mending the cause."""

import ast
import functools
from collections.abc import Iterator

from activities.healing.guard_module import Finding, Function, Module, definitions, own_nodes

_CLOCKS = {"time.time", "time.monotonic", "time.perf_counter", "time.process_time", "time.time_ns"}
_CLOCKS |= {"time.monotonic_ns", "time.perf_counter_ns", "datetime.datetime.now"}
_WAITED_FOR = {"wait", "acquire", "get", "join", "poll", "select"}
_FRESH = {"threading.Event", "threading.Condition", "threading.Semaphore", "threading.Lock"}
_FRESH |= {"threading.Barrier", "queue.Queue", "queue.SimpleQueue", "asyncio.Event", "select.poll"}
_FRESH |= {"asyncio.Queue", "asyncio.Condition", "asyncio.Future", "multiprocessing.Event"}
_SETS = {"set", "notify", "notify_all", "release", "put", "put_nowait", "set_result", "is_set"}
_REPEATED = {"builtins.range", "itertools.count", "itertools.repeat"}
_LONG = 10_000
_LONGEST = 1_000_000


def find_delays(module: Module) -> Iterator[Finding]:
    """Waits on what nobody sets, loops that pass the time, and calls that are tried again."""
    for node in module.nodes:
        if isinstance(node, ast.Call):
            yield from _idle_wait(node, module)
            yield from _counts(node, module)
        elif isinstance(node, ast.While):
            yield from _clock_loop(node, module)
            yield from _retry_loop(node, [])
        elif isinstance(node, ast.For):
            yield from _empty_loop(node, module)
            yield from _retry_loop(node, _names(node.target))
    for name, definition in definitions(module.tree):
        if isinstance(definition, Function):
            yield from _retry_by_recursion(name, definition)


def _idle_wait(node: ast.Call, module: Module) -> Iterator[Finding]:
    if not isinstance(node.func, ast.Attribute) or node.func.attr not in _WAITED_FOR:
        return
    base = node.func.value
    bound = module.folding.bound(base) if isinstance(base, ast.Name) else []
    made = bound[0] if len(bound) == 1 else base
    if isinstance(made, ast.Call) and module.origin(made.func) in _FRESH:
        shown = ast.unparse(base)
        is_set = any(
            isinstance(each, ast.Attribute)
            and each.attr in _SETS
            and ast.unparse(each.value) == shown
            for each in module.nodes
        )
        handed_on = isinstance(base, ast.Name) and any(
            isinstance(each, ast.Name) and each.id == base.id
            for call in module.nodes
            if isinstance(call, ast.Call)
            for each in (*call.args, *(keyword.value for keyword in call.keywords))
        )
        if made is base or not (is_set or handed_on):
            reason = f"waits by `{ast.unparse(node)[:60]}` for what nobody sets"
            yield Finding("added-delay", f"wait {ast.unparse(made.func)}", node.lineno, reason)


def _counts(node: ast.Call, module: Module) -> Iterator[Finding]:
    if module.origin(node.func) == "builtins.range" and node.args:
        number = module.folding.number(node.args[1 if len(node.args) > 1 else 0])
        if number is not None and number >= _LONGEST:
            reason = f"counts to {number:,.0f}"
            yield Finding("added-delay", "range", node.lineno, reason)


def _clock_loop(node: ast.While, module: Module) -> Iterator[Finding]:
    reads_clock = any(
        isinstance(each, ast.Call) and module.origin(each.func) in _CLOCKS
        for each in ast.walk(node.test)
    )
    is_empty = all(isinstance(each, ast.Pass | ast.Continue) for each in node.body)
    if reads_clock or is_empty:
        reason = "a loop that passes the time"
        yield Finding("added-delay", f"while {ast.unparse(node.test)}", node.lineno, reason)


def _empty_loop(node: ast.For, module: Module) -> Iterator[Finding]:
    is_empty = all(isinstance(each, ast.Pass | ast.Continue) for each in node.body)
    called = node.iter if isinstance(node.iter, ast.Call) else None
    if is_empty and called is not None and module.origin(called.func) in _REPEATED and called.args:
        number = module.folding.number(called.args[-1])
        if number is None or number >= _LONG:
            yield Finding("added-delay", "for: pass", node.lineno, "a loop that passes the time")


def _retry_loop(node: ast.For | ast.While, targets: list[str]) -> Iterator[Finding]:
    for inner in own_nodes(node.body):
        if not isinstance(inner, ast.Try):
            continue
        parts = list(own_nodes(inner.body))
        succeeds = any(
            isinstance(each, ast.Return | ast.Break) for each in (*parts, *own_nodes(inner.orelse))
        )
        succeeds |= isinstance(node, ast.While) and not _stored(parts).isdisjoint(_names(node.test))
        varies = any(isinstance(each, ast.Name) and each.id in targets for each in parts)
        goes_on = any(not _leaves(handler.body) for handler in inner.handlers)
        if succeeds and goes_on and not varies:
            reason = "tries the same again after it failed"
            yield Finding("added-delay", "retry", node.lineno, reason)


def _stored(parts: list[ast.AST]) -> set[str]:
    return {
        each.id for each in parts if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
    }


def _leaves(body: list[ast.stmt]) -> bool:
    return bool(body) and isinstance(body[-1], ast.Raise | ast.Return | ast.Break)


def _retry_by_recursion(
    name: str, node: ast.FunctionDef | ast.AsyncFunctionDef
) -> Iterator[Finding]:
    parameters = [each.arg for each in (*node.args.posonlyargs, *node.args.args)]
    is_own = functools.partial(_is_same_or_counted, parameters=parameters)
    for inner in own_nodes(node.body):
        if not isinstance(inner, ast.ExceptHandler):
            continue
        for call in own_nodes(inner.body):
            if not isinstance(call, ast.Call) or _called(call) != node.name:
                continue
            if call.args and all(map(is_own, call.args)):
                reason = f"{name} calls itself again after it failed"
                yield Finding("added-delay", f"retry {name}", call.lineno, reason)


def _called(call: ast.Call) -> str:
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _is_same_or_counted(node: ast.expr, parameters: list[str]) -> bool:
    if isinstance(node, ast.BinOp) and isinstance(node.right, ast.Constant):
        node = node.left
    return isinstance(node, ast.Name) and node.id in parameters


def _names(target: ast.expr) -> list[str]:
    return [node.id for node in ast.walk(target) if isinstance(node, ast.Name)]
