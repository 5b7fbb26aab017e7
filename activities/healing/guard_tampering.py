"""Guard rules about code that makes tests pass without making the program right."""

import ast
import re
from collections.abc import Iterator

from activities.healing.guard_module import (
    Finding,
    Function,
    Module,
    definitions,
    own_nodes,
    resolve,
)

_BROAD = {
    "builtins.Exception",
    "builtins.BaseException",
    "builtins.AssertionError",
    "builtins.BaseExceptionGroup",
    "builtins.ExceptionGroup",
}
_SUPPRESSIONS = re.compile(
    r"(?:noqa|type:\s*ignore|pragma:\s*no\s*(?:cover|branch)|nosec|nosemgrep|gitleaks:allow"
    r"|pylint:\s*(?:disable|skip)|(?:pyright|mypy|flake8|ruff|basedpyright|ty|isort|fmt|yapf):\s*"
    r"(?:ignore|disable|noqa|skip|off|basic|allow))\S*",
    re.IGNORECASE,
)
_COMPARISONS = {"__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__bool__"}
_COMPARISONS |= {"__contains__", "__instancecheck__", "__subclasscheck__", "__exit__"}
_COMPARISONS |= {"__aexit__"}
_VALUES = {"int", "float", "str", "bytes", "complex", "bool", "list", "dict", "tuple", "set"}
_VALUES |= {"frozenset", "Decimal"}
_TEST_MARKS = {"__test__", "pytestmark", "collect_ignore", "collect_ignore_glob", "pytest_plugins"}
_RUNNER_TEXT = re.compile(r"(?<![a-z])py\.?test|^_?unittest$|(?<![a-z])conftest", re.IGNORECASE)
_RUNNER_VARIABLES = {"CI", "GITHUB_ACTIONS", "GITLAB_CI", "TOX_ENV_NAME", "COVERAGE_RUN", "NOSE"}
_ENVIRONMENT = ("os.environ", "os.getenv", "os.environb")


def find_tampering(module: Module, is_test: bool) -> Iterator[Finding]:
    """Constructs that hide a failure, end the run early, or know that a test is running."""
    yield from _skips(module)
    yield from _handlers(module)
    yield from _suppressions(module)
    yield from _exits(module)
    yield from _rigged(module)
    if not is_test:
        yield from _runner_texts(module)


def _skips(module: Module) -> Iterator[Finding]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and node.attr in {"skipTest", "SkipTest"}:
            yield Finding("test-skip", node.attr, node.lineno, "skips a test")
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            name = node.id if isinstance(node, ast.Name) else node.attr
            if name in _TEST_MARKS:
                reason = f"sets {name}, which changes what the test runner collects"
                yield Finding("test-skip", name, node.lineno, reason)
        elif isinstance(node, Function) and node.name.startswith("pytest_"):
            reason = f"defines {node.name}, a hook of the test runner"
            yield Finding("test-runner-detection", node.name, node.lineno, reason)


def _handlers(module: Module) -> Iterator[Finding]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ExceptHandler):
            yield from _handler(node, module)
        elif isinstance(node, ast.Try | ast.TryStar):
            leaving = [
                inner
                for inner in own_nodes(node.finalbody)
                if isinstance(inner, ast.Return | ast.Break | ast.Continue)
            ]
            for inner in leaving:
                reason = "leaves a finally block, which drops the exception under way"
                yield Finding("swallowed-exception", "finally", inner.lineno, reason)


def _handler(node: ast.ExceptHandler, module: Module) -> Iterator[Finding]:
    if any(isinstance(inner, ast.Raise) for inner in own_nodes(node.body)):
        return
    types = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
    caught = [resolve(each, module.imports) if each else None for each in types]
    shown = f"except {ast.unparse(node.type)}" if node.type else "except"
    if node.type is None or any(name in _BROAD for name in caught):
        reason = f"`{shown}` is broad and does not raise again"
        yield Finding("swallowed-exception", shown, node.lineno, reason)
    elif all(_is_empty(statement) for statement in node.body):
        reason = f"`{shown}` does nothing with the exception"
        yield Finding("swallowed-exception", f"{shown}: pass", node.lineno, reason)


def _is_empty(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Pass) or (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    )


def _suppressions(module: Module) -> Iterator[Finding]:
    for comment in module.comments:
        for match in _SUPPRESSIONS.finditer(comment.text):
            key = re.sub(r"\s", "", match[0]).lower()
            reason = f"the comment `{match[0]}` silences a tool"
            yield Finding("suppressed-warning", key, comment.line, reason)


def _exits(module: Module) -> Iterator[Finding]:
    handled = {
        id(inner)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ExceptHandler) and node.type is not None
        for inner in ast.walk(node.type)
    }
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Name) and id(node) not in handled:
            if resolve(node, module.imports) == "builtins.SystemExit":
                yield Finding("process-exit", "SystemExit", node.lineno, "new use of SystemExit")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if resolve(node.func, module.imports) in {"builtins.exit", "builtins.quit"}:
                reason = f"new call of {node.func.id}()"
                yield Finding("process-exit", node.func.id, node.lineno, reason)
        elif isinstance(node, ast.Raise) and node.exc is not None:
            raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            if resolve(raised, module.imports) == "builtins.KeyboardInterrupt":
                reason = "raises KeyboardInterrupt, which ends the test run"
                yield Finding("process-exit", "KeyboardInterrupt", node.lineno, reason)


def _rigged(module: Module) -> Iterator[Finding]:
    for name, node in definitions(module.tree):
        if isinstance(node, ast.ClassDef):
            yield from _rigged_class(name, node)
        elif node.name in _COMPARISONS:
            wanted = node.name != "__ne__"
            returns = [
                inner.value
                for inner in own_nodes(node.body)
                if isinstance(inner, ast.Return) and inner.value is not None
            ]
            values = [value for value in returns if not _is_not_implemented(value)]
            if values and all(_always(value, wanted) for value in values):
                reason = f"{name} always says {wanted}"
                yield Finding("rigged-comparison", name, node.lineno, reason)
            elif any(_hides_constant(value, wanted) for value in values):
                reason = f"{name} holds an expression that always says {wanted}"
                yield Finding("rigged-comparison", name, node.lineno, reason)


def _rigged_class(name: str, node: ast.ClassDef) -> Iterator[Finding]:
    bases = {ast.unparse(base).split(".")[-1] for base in node.bases}
    for inner in node.body:
        if isinstance(inner, Function) and inner.name in _COMPARISONS and bases & _VALUES:
            key, line = inner.name, inner.lineno
        elif isinstance(inner, ast.Assign) and isinstance(inner.value, ast.Lambda):
            targets = {target.id for target in inner.targets if isinstance(target, ast.Name)}
            found = targets & _COMPARISONS
            if not found or not _always(inner.value.body, "__ne__" not in found):
                continue
            key, line = min(found), inner.lineno
        else:
            continue
        reason = f"{name} redefines {key} of a plain value"
        yield Finding("rigged-comparison", f"{name}.{key}", line, reason)


def _is_not_implemented(value: ast.expr) -> bool:
    return isinstance(value, ast.Name) and value.id == "NotImplemented"


def _always(value: ast.expr, wanted: bool) -> bool:
    if isinstance(value, ast.Constant):
        return bool(value.value) is wanted
    if isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.Not):
        return _always(value.operand, not wanted)
    return _hides_constant(value, wanted)


def _hides_constant(value: ast.expr, wanted: bool) -> bool:
    if isinstance(value, ast.BoolOp):
        decisive = isinstance(value.op, ast.Or) is wanted
        return decisive and any(_always(part, wanted) for part in value.values)
    if isinstance(value, ast.Compare) and len(value.ops) == 1:
        same = ast.dump(value.left) == ast.dump(value.comparators[0])
        says_equal = isinstance(value.ops[0], ast.Eq | ast.Is | ast.LtE | ast.GtE)
        says_unequal = isinstance(value.ops[0], ast.NotEq | ast.IsNot | ast.Lt | ast.Gt)
        return same and (says_equal if wanted else says_unequal)
    return False


def _runner_texts(module: Module) -> Iterator[Finding]:
    docstrings = {
        id(node.value)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(module.tree):
        text = _constant_text(node)
        if text is not None and id(node) not in docstrings and _RUNNER_TEXT.search(text):
            reason = f"the text {text!r:.60} names the test runner"
            yield Finding("test-runner-detection", text, getattr(node, "lineno", 0), reason)
        elif isinstance(node, ast.Call | ast.Subscript | ast.Compare):
            yield from _environment_checks(node, module)


def _constant_text(node: ast.AST) -> str | None:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _constant_text(node.left), _constant_text(node.right)
        return None if left is None or right is None else left + right
    return None


def _environment_checks(
    node: ast.Call | ast.Subscript | ast.Compare, module: Module
) -> Iterator[Finding]:
    parts: list[ast.expr] = list(ast.iter_child_nodes(node))  # type: ignore[arg-type]
    reads = any(
        (resolve(part, module.imports) or "").startswith(_ENVIRONMENT)
        for part in parts
        if isinstance(part, ast.Name | ast.Attribute)
    )
    for part in parts:
        text = _constant_text(part)
        if reads and text in _RUNNER_VARIABLES:
            reason = f"asks the environment for {text}"
            yield Finding("test-runner-detection", f"environment {text}", node.lineno, reason)
