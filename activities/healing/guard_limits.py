"""Guard rule `longer-timeout`: time-outs, deadlines and numbers of retries that grow or vanish."""

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from activities.healing.guard_module import Finding, Module

_LIMIT = re.compile(
    r"time_?out|deadline|max_wait|retries|max_attempts|max_tries|retry_count|attempts$|patience"
    r"|wait_(?:time|seconds)|recursion_?limit",
    re.IGNORECASE,
)
_SLEEPS = {"time.sleep", "asyncio.sleep", "trio.sleep", "anyio.sleep"}
_POSITIONAL = {"wait": -1, "join": -1, "result": -1, "settimeout": -1, "setdefaulttimeout": -1}
_POSITIONAL |= {"timeout": -1, "fail_after": -1, "move_on_after": -1, "wait_for": 1, "alarm": -1}
_GROWS = (ast.Mult, ast.Add, ast.Pow, ast.LShift)


def find_raised_limits(before: Module, after: Module) -> Iterator[Finding]:
    """Numbers that grow under the name of a limit, limits that are multiplied or left out."""
    old, new = _limits(before), _limits(after)
    for name, values in new.items():
        added = Counter(value for value, _ in values) - Counter(value for value, _ in old[name])
        gone = Counter(value for value, _ in old[name]) - Counter(value for value, _ in values)
        for value, line in values:
            if added[value] > 0 and gone and value > max(gone):
                added[value] -= 1
                reason = f"{name} grows from {max(gone):g} to {value:g}"
                yield Finding("longer-timeout", name, line, reason)
    yield from _unlimited(before, after)
    yield from _multiplied(before, after)
    yield from _left_out(before, after)


def _limits(module: Module) -> defaultdict[str, list[tuple[float, int]]]:
    found: defaultdict[str, list[tuple[float, int]]] = defaultdict(list)
    for name, value in _named(module):
        number = _number(value, module)
        if number is not None:
            found[name].append((number, value.lineno))
    return found


def _named(module: Module) -> Iterator[tuple[str, ast.expr]]:
    for node in module.nodes:
        yield from _named_values(node, module)


def _named_values(node: ast.AST, module: Module) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(node, ast.Call):
        yield from _limit_named((each.arg, each.value) for each in node.keywords)
        name = _called(node)
        if node.args and module.origin(node.func) in _SLEEPS:
            yield "sleep", node.args[0]
        elif name in _POSITIONAL and isinstance(node.func, ast.Attribute):
            place = _POSITIONAL[name]
            if len(node.args) > max(place, 0):
                yield name, node.args[place]
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        yield from _limit_named((ast.unparse(target), node.value) for target in targets)
    elif isinstance(node, ast.arguments):
        positional = [*node.posonlyargs, *node.args]
        first = len(positional) - len(node.defaults)
        arguments = [*positional[first:], *node.kwonlyargs]
        defaults = [*node.defaults, *node.kw_defaults]
        pairs = zip(arguments, defaults, strict=True)
        yield from _limit_named((argument.arg, default) for argument, default in pairs)
    elif isinstance(node, ast.Dict):
        pairs_of_dict = zip(node.keys, node.values, strict=True)
        yield from _limit_named(
            (str(key.value), value) for key, value in pairs_of_dict if isinstance(key, ast.Constant)
        )


def _limit_named(
    pairs: Iterable[tuple[str | None, ast.expr | None]],
) -> Iterator[tuple[str, ast.expr]]:
    for name, value in pairs:
        if name and value is not None and _LIMIT.search(name):
            yield name, value


def _number(node: ast.expr, module: Module) -> float | None:
    if isinstance(node, ast.Constant) and node.value is None:
        return float("inf")
    if isinstance(node, ast.Tuple) and node.elts:
        numbers = [_number(each, module) for each in node.elts]
        return max((number for number in numbers if number is not None), default=None)
    return module.folding.number(node)


def _unlimited(before: Module, after: Module) -> Iterator[Finding]:
    """`None` in the place of a limit that was given."""
    old, new = list(_named(before)), list(_named(after))
    for name in {name for name, _ in new}:
        free = [value for each, value in new if each == name and _is_none(value)]
        free_before = [value for each, value in old if each == name and _is_none(value)]
        places = sum(1 for each, _ in new if each == name)
        places_before = sum(1 for each, _ in old if each == name)
        if len(free) > len(free_before) and places <= places_before:
            reason = f"{name} loses its limit"
            yield Finding("longer-timeout", name, free[0].lineno, reason)


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _multiplied(before: Module, after: Module) -> Iterator[Finding]:
    known: defaultdict[str, set[str]] = defaultdict(set)
    for name, value in _named(before):
        known[name].add(ast.dump(value))
    for name, value in _named(after):
        if ast.dump(value) in known[name] or after.folding.number(value) is not None:
            continue
        parts: list[ast.expr] = []
        if isinstance(value, ast.BinOp) and isinstance(value.op, _GROWS):
            parts = [value.left, value.right]
        elif isinstance(value, ast.Call) and after.origin(value.func) == "builtins.max":
            parts = value.args
        if any(ast.dump(part) in known[name] for part in parts):
            reason = f"{name} grows to `{ast.unparse(value)[:60]}`"
            yield Finding("longer-timeout", name, value.lineno, reason)


def _left_out(before: Module, after: Module) -> Iterator[Finding]:
    """Calls that had a time-out and are still made, but without one."""
    old, new = _limited_calls(before), _limited_calls(after)
    for called, calls in new.items():
        limited = sum(1 for is_limited, _ in calls if is_limited)
        limited_before = sum(1 for is_limited, _ in old.get(called, []) if is_limited)
        free = [line for is_limited, line in calls if not is_limited]
        free_before = len(old.get(called, [])) - limited_before
        if limited < limited_before and len(free) > free_before:
            yield Finding("longer-timeout", called, free[0], f"{called}() loses its time limit")


def _limited_calls(module: Module) -> dict[str, list[tuple[bool, int]]]:
    found: dict[str, list[tuple[bool, int]]] = {}
    for node in module.nodes:
        if isinstance(node, ast.Call):
            is_limited = any(True for _ in _named_values(node, module))
            found.setdefault(ast.unparse(node.func), []).append((is_limited, node.lineno))
    return found


def _called(node: ast.Call) -> str:
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""
