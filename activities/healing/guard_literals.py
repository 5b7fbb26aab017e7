"""The values that failing tests mention, in one plain form."""

import ast
import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

from regreen.contracts.testing import TestFailure

_NUMBER = re.compile(r"(?<![\w.:/])-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?!\w|\.\d|:\d)")
_QUOTED = re.compile(r"'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\"")
_ASSERTION = re.compile(r"^\s*assert|expected|\bexpect\b|\bwant\b", re.IGNORECASE)
_WORD = re.compile(r"\b(?:True|False|None)\b")
# Values that turn up in honest code too often to be evidence of anything.
_COMMON = {"12", "16", "20", "24", "30", "32", "50", "60", "64", "100", "128", "255", "256"}
_COMMON |= {"360", "365", "366", "400", "404", "500", "512", "1000", "1024", "3600", "86400"}
_COMMON |= {"200", "0.5", "0.1", "0.01", "0.001", "-0.5", "-100"}
_EMPTY = {"", "0", "1", "-1", "2", "True", "False", "None"}
_MOST_TEXT = 200


def expected_literals(failures: Sequence[TestFailure], sources: Sequence[str] = ()) -> list[str]:
    """The values that failing assertions mention, and the constants of the failing tests.

    `sources` are the texts of the failing test functions. Numbers come in one plain form
    (`42.37`), texts without quotes; sorted, each once. Whether a value is too common to mean
    anything is for the rule to say: `is_telling`.
    """
    found: set[str] = set()
    for failure in failures:
        if "Assert" in failure.exception or _ASSERTION.search(failure.message):
            found |= _literals_of(failure.message)
    for source in sources:
        found |= _constants_of(source)
    return sorted(found - {""})


def canonical(value: object) -> str:
    """One form for equal values, as `42.37` for the text, too; empty for what is no plain value."""
    if isinstance(value, bytes):
        return plain_text(value.decode("utf-8", "replace"))
    if isinstance(value, bool) or value is None:
        return str(value)
    if isinstance(value, int | float | Decimal | str):
        return plain_text(str(value))
    return ""


def plain_text(text: str) -> str:
    """The canonical form of a value that comes as text, quoted or not."""
    bare = text.strip()[:_MOST_TEXT]
    if _QUOTED.fullmatch(bare):
        try:
            bare = str(ast.literal_eval(bare))
        except (SyntaxError, ValueError):
            return bare
    try:
        number = Decimal(bare)
    except InvalidOperation:
        return bare
    if not number.is_finite() or abs(number.adjusted()) > 40:
        return bare
    return f"{number.normalize():f}"


def is_telling(value: str) -> bool:
    """Whether a canonical value is rare enough to be evidence when it turns up in a patch."""
    if value in _COMMON or value in _EMPTY or len(value) < 2:
        return False
    try:
        number = Decimal(value)
    except InvalidOperation:
        return True
    return not (number == number.to_integral_value() and -2 <= number <= 10)


def is_empty(value: str) -> bool:
    """Whether a value is one that base cases answer: nothing, one, two, a truth value."""
    return value in _EMPTY


def source_of_test(text: str, node_id: str) -> str:
    """The text of the test function that a node id names; empty when it cannot be found."""
    name = node_id.rsplit("::", maxsplit=1)[-1].split("[", maxsplit=1)[0]
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""
    found = [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name
    ]
    return "\n".join(found)


def _literals_of(message: str) -> set[str]:
    quoted: list[str] = []
    for match in _QUOTED.finditer(message):
        try:
            quoted.append(str(ast.literal_eval(match[0])))
        except (SyntaxError, ValueError):
            continue
    rest = _QUOTED.sub(" ", message)
    words = [match[0] for match in _WORD.finditer(rest)]
    numbers = [match[0] for match in _NUMBER.finditer(rest)]
    return {plain_text(text) for text in (*quoted, *numbers, *words)}


def _constants_of(source: str) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant):
            found.add(canonical(node.value))
        match node:
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
                found.add(canonical(-value))
    return found
