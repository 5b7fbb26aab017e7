"""Guard rules about tools and logs that are silenced, and about ways to end the process."""

import ast
import re
from collections.abc import Iterator

from activities.healing.guard_module import Finding, Module

_SUPPRESSIONS = re.compile(
    r"(?:noqa|type:\s*ignore|pragma:?\s*no\s*-?(?:cover|branch)|nosec|nosemgrep|gitleaks:allow"
    r"|pylint:\s*(?:disable|skip)|(?:pyright|mypy|flake8|ruff|basedpyright|ty|isort|fmt|yapf|pytype"
    r"|pyre|coverage|sonar|bandit|vulture|autopep8|deepsource|pycln):?\s*-?"
    r"(?:ignore|disable|noqa|skip|off|basic|allow|fixme|no-check|exclude)|pyre-(?:ignore|fixme|unsafe)"
    r"|NOLINT|NOSONAR|@no_type_check)\S*",
    re.IGNORECASE,
)
_SILENT_LEVEL = 50
_ENDINGS = {"builtins.KeyboardInterrupt", "builtins.GeneratorExit", "builtins.BaseException"}


def find_silence(module: Module) -> Iterator[Finding]:
    """Comments that silence a tool, and loggers that are turned off."""
    for comment in module.comments:
        for match in _SUPPRESSIONS.finditer(comment.text):
            key = re.sub(r"\s", "", match[0]).lower()
            reason = f"the comment `{match[0]}` silences a tool"
            yield Finding("suppressed-warning", key, comment.line, reason)
    for node in module.nodes:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                yield from _silenced(target, node.value, module)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield from _raised_level(node, node.func, module)


def find_exits(module: Module) -> Iterator[Finding]:
    """Exits that are not told by the name of a function alone."""
    handled = {
        id(inner)
        for node in module.nodes
        if isinstance(node, ast.ExceptHandler) and node.type is not None
        for inner in ast.walk(node.type)
    }
    for node in module.nodes:
        if isinstance(node, ast.Name) and id(node) not in handled:
            if isinstance(node.ctx, ast.Load) and module.origin(node) == "builtins.SystemExit":
                yield Finding("process-exit", "SystemExit", node.lineno, "new use of SystemExit")
        elif isinstance(node, ast.Call):
            name = module.origin(node.func)
            if name in {"builtins.exit", "builtins.quit"}:
                shown = name.removeprefix("builtins.")
                yield Finding("process-exit", shown, node.lineno, f"new call of {shown}()")
        for ending in _endings(node):
            if module.origin(ending) in _ENDINGS:
                reason = f"uses {ast.unparse(ending)}, which ends the test run"
                yield Finding("process-exit", ast.unparse(ending), ending.lineno, reason)


def _endings(node: ast.AST) -> list[ast.expr]:
    """What a node raises or makes an exception of."""
    match node:
        case ast.Raise(exc=ast.Call(func=raised)):
            return [raised]
        case ast.Raise(exc=raised) if raised is not None:
            return [raised]
        case ast.ClassDef(bases=bases):
            return bases
        case ast.Call(func=ast.Name(id="type"), args=[_, ast.Tuple(elts=bases), _]):
            return bases
    return []


def _silenced(target: ast.expr, value: ast.expr, module: Module) -> Iterator[Finding]:
    if not isinstance(target, ast.Attribute) or not _is_logger(target.value, module):
        return
    is_off = isinstance(value, ast.Constant) and (
        (target.attr == "disabled" and bool(value.value))
        or (target.attr == "propagate" and not value.value)
    )
    if is_off or target.attr in {"handlers", "filters"}:
        reason = f"sets {ast.unparse(target)}, which silences the log"
        yield Finding("suppressed-warning", f"log {target.attr}", target.lineno, reason)


def _raised_level(node: ast.Call, func: ast.Attribute, module: Module) -> Iterator[Finding]:
    if not node.args or not _is_logger(func.value, module):
        return
    argument = node.args[0]
    number = module.folding.number(argument)
    origin = module.origin(argument) or ""
    text = module.folding.text(argument)
    is_silent = (number is not None and number >= _SILENT_LEVEL) or (
        origin in {"logging.CRITICAL", "logging.FATAL"} or text in {"CRITICAL", "FATAL"}
    )
    if (func.attr == "setLevel" and is_silent) or func.attr == "removeHandler":
        reason = f"`{ast.unparse(node)[:60]}` silences the log"
        yield Finding("suppressed-warning", f"log {func.attr}", node.lineno, reason)


def _is_logger(node: ast.expr, module: Module) -> bool:
    if isinstance(node, ast.Name):
        bound = module.folding.bound(node)
        node = bound[0] if len(bound) == 1 else node
    if isinstance(node, ast.Call):
        return (module.origin(node.func) or "").endswith("getLogger")
    return re.search(r"(?:^|_|\.)log(?:ger)?$", ast.unparse(node)) is not None
