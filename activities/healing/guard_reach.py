"""Guard rules about names that a heal has no business to reach for."""

import ast
import re
from collections.abc import Iterator

from activities.healing.guard_module import Finding, Module, Use, docstrings
from activities.healing.guard_names import (
    FOREIGN_METHODS,
    FRAME_ATTRIBUTES,
    HANDED_AROUND,
    INTERNALS,
    TEST_LIBRARIES,
    WATCHED_NAMES,
)

# One call of such a module may take the place of another one.
_BY_MODULE = {"process-use", "network-use"}
_HARMLESS = re.compile(r"\.(?:[A-Z][A-Z0-9_]*|\w*(?:Error|Exception|Expired|Timeout|timeout))$")
_HIDDEN_NAMES = re.compile(
    rf"(?<![A-Za-z0-9])(?:{'|'.join(sorted(INTERNALS | FRAME_ATTRIBUTES))})(?![A-Za-z0-9])"
)


def find_reach(module: Module, own: set[str], is_test: bool) -> Iterator[Finding]:
    """Mentions of watched names. `own` are the original file's functions, which may share one."""
    names = dict(WATCHED_NAMES)
    if not is_test:
        names["test-runner-detection"] = (*names["test-runner-detection"], *TEST_LIBRARIES)
    harmless = _yields_to_loop(module)
    rules: dict[str, list[str]] = {}
    for use in module.uses:
        if use.dotted.removeprefix("builtins.") in own or id(use.node) in harmless:
            continue
        if use.dotted not in rules:
            rules[use.dotted] = [
                rule
                for rule, patterns in names.items()
                if any(_matches(use.dotted, pattern) for pattern in patterns)
            ]
        for rule in rules[use.dotted]:
            if rule in _BY_MODULE and _HARMLESS.search(use.dotted):
                continue
            shown = use.dotted.removeprefix("builtins.")
            key = shown.split(".")[0] if rule in _BY_MODULE else use.dotted
            yield Finding(rule, key, use.node.lineno, f"new use of {shown}")
        yield from _handed_around(use)
    yield from _attributes(module)
    yield from _unreadable_lookups(module)


def _matches(dotted: str, pattern: str) -> bool:
    if pattern.endswith("*"):
        return dotted.startswith(pattern[:-1])
    if dotted.endswith(".*"):
        source = dotted[:-2]
        return pattern == source or pattern.startswith(f"{source}.")
    return dotted == pattern or dotted.startswith(f"{pattern}.")


def _handed_around(use: Use) -> Iterator[Finding]:
    if not use.imported and isinstance(use.node, ast.Name) and use.dotted in HANDED_AROUND:
        reason = f"hands the module {use.dotted} around as a value"
        yield Finding("dynamic-code", f"value {use.dotted}", use.node.lineno, reason)


def _yields_to_loop(module: Module) -> set[int]:
    # asyncio.sleep(0) is no delay: it lets other tasks run.
    return {
        id(node.func)
        for node in module.nodes
        if isinstance(node, ast.Call)
        and module.origin(node.func) == "asyncio.sleep"
        and node.args
        and module.folding.number(node.args[0]) == 0
    }


def _attributes(module: Module) -> Iterator[Finding]:
    prose = docstrings(module.tree)
    for node in module.nodes:
        names: list[str] = []
        if isinstance(node, ast.Attribute):
            names = [node.attr]
            if isinstance(node.value, ast.Call) and _is_super(node.value):
                continue
        elif isinstance(node, ast.Constant | ast.BinOp | ast.JoinedStr) and id(node) not in prose:
            names = _HIDDEN_NAMES.findall(module.folding.text(node) or "")
        for name in names:
            if name in FRAME_ATTRIBUTES:
                reason = f"looks at the callers of the function by {name}"
                yield Finding("test-runner-detection", name, _line(node), reason)
            elif name in INTERNALS:
                reason = f"reaches for the interpreter's {name}"
                yield Finding("dynamic-code", name, _line(node), reason)
            elif name in FOREIGN_METHODS:
                yield Finding(FOREIGN_METHODS[name], name, _line(node), f"new use of {name}")


def _is_super(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Name) and node.func.id == "super"


def _line(node: ast.AST) -> int:
    return getattr(node, "lineno", 0)


def _unreadable_lookups(module: Module) -> Iterator[Finding]:
    called = {id(node.func) for node in module.nodes if isinstance(node, ast.Call)}
    for use in module.uses:
        name = use.dotted.removeprefix("builtins.")
        if name in {"getattr", "setattr", "delattr", "vars"} and id(use.node) not in called:
            reason = f"hands {name} around as a value"
            yield Finding("dynamic-code", f"value {name}", use.node.lineno, reason)
