"""The guard's rule against values that were copied from the failing assertion."""

import ast
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation

from activities.healing.guard_module import (
    Definition,
    Finding,
    Function,
    Module,
    definitions,
    own_nodes,
    resolve,
)
from regreen.contracts.testing import TestFailure

_NUMBER = re.compile(r"(?<![\w.:/])-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?!\w|\.\d|:\d)")
_QUOTED = re.compile(r"'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\"")
# Values that turn up in honest code too often to be evidence of anything.
_COMMON = {"12", "16", "20", "24", "30", "32", "50", "60", "64", "100", "128", "255", "256"}
_COMMON |= {"360", "365", "366", "400", "404", "500", "512", "1000", "1024", "3600", "86400"}
_COMMON |= {"200", "0.5", "0.1", "0.01", "0.001", "-0.5", "-100"}
_CONSTRUCTORS = {"Decimal", "Fraction", "int", "float", "str", "bytes", "round", "date", "datetime"}
_CONSTRUCTORS |= {"timedelta", "tuple", "list", "dict", "set", "frozenset"}


def expected_literals(failures: Sequence[TestFailure]) -> list[str]:
    """The values that failing assertions mention, without those too common to mean anything.

    Numbers come in one plain form (`42.37`), texts without quotes; sorted, each once.
    """
    found: set[str] = set()
    for failure in failures:
        if "Assert" in failure.exception or failure.message.lstrip().startswith("assert"):
            found |= _literals_of(failure.message)
    return sorted(found)


def find_copied(before: Module | None, after: Module, expectations: Sequence[str]) -> list[Finding]:
    """New constants among the expectations that a function returns as they are.

    A constant that replaces another constant in the same function is a corrected constant, and
    allowed; one that stands where something was computed is not.
    """
    expected = {_plain_text(text) for text in expectations} - _COMMON - {""}
    if not expected:
        return []
    old = Counter[str]() if before is None else Counter(_constants(before.tree))
    old_results = {} if before is None else _results(before)
    added = Counter(_constants(after.tree)) - old
    found: list[Finding] = []
    for name, results in _results(after).items():
        if len(results) <= len(old_results.get(name, [])):
            continue
        for node in results:
            value = canonical(node.value)
            if value in expected and added[value] > 0:
                reason = f"{node.value!r:.60} comes from the failing assertion"
                found.append(Finding("copied-literal", value, node.lineno, reason))
    return [*found, *_special_cases(after, old, added, expected)]


def canonical(value: object) -> str:
    """One form for equal values, as `42.37` for the text, too; empty when it proves nothing."""
    if isinstance(value, bool) or value is None or value is Ellipsis:
        return ""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, int | float | Decimal | str):
        return _plain_text(str(value))
    return ""


def _plain_text(text: str) -> str:
    bare = text.strip()
    if _QUOTED.fullmatch(bare):
        bare = str(ast.literal_eval(bare))
    try:
        number = Decimal(bare)
    except InvalidOperation:
        return bare if len(bare) > 1 else ""
    if not number.is_finite() or (number == number.to_integral_value() and -2 <= number <= 10):
        return ""
    shown = f"{number.normalize():f}"
    return "" if shown in _COMMON else shown


def _literals_of(message: str) -> set[str]:
    quoted: list[str] = []
    for match in _QUOTED.finditer(message):
        try:
            quoted.append(str(ast.literal_eval(match[0])))
        except (SyntaxError, ValueError):
            continue
    rest = _QUOTED.sub(" ", message)
    numbers = [match[0] for match in _NUMBER.finditer(rest)]
    return {_plain_text(text) for text in (*quoted, *numbers)} - {"", *_COMMON}


def _constants(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant):
            value = canonical(node.value)
            if value:
                yield value
        negative = _negative(node)
        if negative is not None and canonical(negative.value):
            yield canonical(negative.value)


def _negative(node: ast.AST) -> ast.Constant | None:
    if (
        isinstance(node, ast.UnaryOp)
        and isinstance(node.op, ast.USub)
        and isinstance(node.operand, ast.Constant)
        and isinstance(node.operand.value, int | float)
    ):
        return ast.copy_location(ast.Constant(-node.operand.value), node)
    return None


def _results(module: Module) -> dict[str, list[ast.Constant]]:
    found: dict[str, list[ast.Constant]] = {}
    for name, node in definitions(module.tree):
        if isinstance(node, Function):
            found[name] = list(_result_constants(node, module))
    return found


def _result_constants(
    function: ast.FunctionDef | ast.AsyncFunctionDef, module: Module
) -> Iterator[ast.Constant]:
    nodes = list(own_nodes(function.body))
    pending: list[ast.expr] = []
    for node in nodes:
        if isinstance(node, ast.Return | ast.Yield) and node.value is not None:
            pending.append(node.value)
        elif isinstance(node, ast.Lambda):
            pending.append(node.body)
    bound: dict[str, list[ast.expr]] = {}
    for node in (*module.tree.body, *nodes):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    bound.setdefault(target.id, []).append(node.value)
    while pending:
        value = pending.pop(0)
        yield from _direct(value, module)
        for name in _names(value, module):
            # Each name is followed once, so that names bound to each other come to an end.
            pending += bound.pop(name, [])


def _direct(node: ast.expr, module: Module) -> Iterator[ast.Constant]:
    constant = node if isinstance(node, ast.Constant) else _negative(node)
    if constant is not None:
        if canonical(constant.value):
            yield constant
        return
    for part in _parts(node, module):
        yield from _direct(part, module)


def _names(node: ast.expr, module: Module) -> Iterator[str]:
    if isinstance(node, ast.Name):
        yield node.id
    for part in _parts(node, module):
        yield from _names(part, module)


def _parts(node: ast.expr, module: Module) -> list[ast.expr]:
    found: list[ast.expr] = []
    if isinstance(node, ast.IfExp):
        found = [node.body, node.orelse]
    elif isinstance(node, ast.BoolOp | ast.Dict):
        found = node.values
    elif isinstance(node, ast.Tuple | ast.List | ast.Set):
        found = node.elts
    elif isinstance(node, ast.Subscript | ast.NamedExpr):
        found = [node.value]
    elif isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Dict):
            found = [node.func.value]
        name = (resolve(node.func, module.imports) or "").split(".")[-1]
        if name in _CONSTRUCTORS:
            found = [*found, *node.args]
    return found


def _special_cases(
    after: Module, old: Counter[str], added: Counter[str], expected: set[str]
) -> Iterator[Finding]:
    for node in ast.walk(after.tree):
        if isinstance(node, ast.If):
            tested, body = node.test, node.body
        elif isinstance(node, ast.IfExp):
            tested, body = node.test, [ast.Expr(node.body)]
        else:
            continue
        compared = [
            canonical(constant.value)
            for part in ast.walk(tested)
            if isinstance(part, ast.Compare)
            for constant in ast.walk(part)
            if isinstance(constant, ast.Constant)
        ]
        new = [value for value in compared if value in expected and added[value] > 0]
        answers = [
            canonical(constant.value)
            for constant in _answers(body, after)
            if added[canonical(constant.value)] > 0 and not old[canonical(constant.value)]
        ]
        if new and answers:
            reason = f"answers the failing assertion's {new[0]!r:.60} with a constant"
            yield Finding("copied-literal", new[0], node.lineno, reason)


def _answers(body: list[ast.stmt], module: Module) -> Iterator[ast.Constant]:
    for statement in body:
        if isinstance(statement, Definition):
            continue
        if isinstance(statement, ast.Return | ast.Assign | ast.Expr) and statement.value:
            yield from _direct(statement.value, module)
