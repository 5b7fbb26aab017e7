"""The pure operations of constant folding, with bounds on what they may build."""

import ast
import base64
import binascii
import codecs
import json
import operator
import re
import zlib
from collections.abc import Callable
from decimal import Decimal
from typing import Any

MOST_ITEMS = 5_000
"""The most items or characters of one value."""

_WIDE = re.compile(r"\d{4}|\*")

_SHORT_NUMBER = re.compile(r"-?\d{1,50}(?:\.\d{1,50})?")

_OPERATORS: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.BitXor: operator.xor,
    ast.BitOr: operator.or_,
    ast.BitAnd: operator.and_,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda left, right: left in right,
    ast.NotIn: lambda left, right: left not in right,
    ast.USub: lambda _, value: -value,
    ast.UAdd: lambda _, value: +value,
    ast.Invert: lambda _, value: ~value,
    ast.Not: lambda _, value: not value,
}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": abs,
    "bool": bool,
    "bytearray": bytearray,
    "bytes": bytes,
    "chr": chr,
    "dict": dict,
    "divmod": divmod,
    "float": float,
    "format": format,
    "frozenset": frozenset,
    "hex": hex,
    "int": int,
    "len": len,
    "list": list,
    "max": max,
    "min": min,
    "oct": oct,
    "ord": ord,
    "range": range,
    "repr": repr,
    "reversed": lambda items: list(reversed(items)),
    "round": round,
    "set": set,
    "sorted": sorted,
    "str": str,
    "sum": sum,
    "tuple": tuple,
    "zip": lambda *items: list(zip(*items, strict=False)),
    "bytes.fromhex": bytes.fromhex,
    "int.from_bytes": int.from_bytes,
    "base64.b64decode": base64.b64decode,
    "base64.b32decode": base64.b32decode,
    "base64.b16decode": base64.b16decode,
    "base64.b85decode": base64.b85decode,
    "base64.urlsafe_b64decode": base64.urlsafe_b64decode,
    "binascii.a2b_base64": binascii.a2b_base64,
    "binascii.unhexlify": binascii.unhexlify,
    "codecs.decode": codecs.decode,
    "decimal.Decimal": Decimal,
    "json.loads": json.loads,
    "ast.literal_eval": ast.literal_eval,
    "operator.add": operator.add,
    "operator.mul": operator.mul,
    "operator.sub": operator.sub,
    "zlib.decompress": lambda data: zlib.decompressobj().decompress(data, MOST_ITEMS),
}
METHODS = {"capitalize", "casefold", "count", "decode", "encode", "find", "format", "get", "hex"}
METHODS |= {"index", "items", "join", "keys", "lower", "lstrip", "partition", "removeprefix"}
METHODS |= {"removesuffix", "replace", "rpartition", "rsplit", "rstrip", "split", "splitlines"}
METHODS |= {"strip", "swapcase", "title", "upper", "values"}
_CODECS = {"ascii", "base64", "hex", "latin1", "rot13", "utf16", "utf8"}
PLAIN = (int, float, complex, str, bytes, tuple, list, dict, set, frozenset, range, Decimal)
"""Types whose methods may be called."""


class Unknown(ValueError):
    """The expression is no constant."""


def operate(op: ast.AST, left: Any, right: Any) -> Any:
    """What an operator gives; the left side of one with a single operand is not looked at."""
    if isinstance(op, ast.Pow | ast.LShift | ast.Mult):
        sizes = [len(each) for each in (left, right) if hasattr(each, "__len__")]
        numbers = [each for each in (left, right) if isinstance(each, int)]
        if sizes and numbers and sizes[0] * max(numbers) > MOST_ITEMS:
            raise Unknown
        is_power = isinstance(op, ast.Pow | ast.LShift)
        if is_power and not (isinstance(right, int | float) and abs(right) <= 512):
            raise Unknown
        if is_power and isinstance(left, int) and left.bit_length() > 512:
            raise Unknown
    if isinstance(op, ast.Mod) and isinstance(left, str | bytes) and has_wide_field(left):
        raise Unknown
    if type(op) not in _OPERATORS:
        raise Unknown
    return _OPERATORS[type(op)](left, right)


def limited(
    function: Callable[..., Any], name: str, arguments: list[Any], options: dict[str, Any]
) -> Any:
    """Call it, unless its arguments ask for something large or for an unusual codec."""
    values = [*arguments, *options.values()]
    if name != "chr" and any(isinstance(each, int) and abs(each) > 10**9 for each in values):
        raise Unknown
    if name == "decimal.Decimal" and not _SHORT_NUMBER.fullmatch(str(values[0] if values else "")):
        raise Unknown
    if name == "round" and any(isinstance(each, int) and abs(each) > 100 for each in values[1:]):
        raise Unknown
    if name in {"bytes", "bytearray"} and isinstance(values[0] if values else 0, int):
        raise Unknown
    if name == "range" and len(range(*arguments)) > MOST_ITEMS:
        raise Unknown
    if name == "format" and len(arguments) > 1 and has_wide_field(arguments[1]):
        raise Unknown
    if name in {"codecs.decode", "decode", "encode"}:
        for each in values[-1:] if name != "codecs.decode" else values[1:]:
            plain = re.sub(r"[^a-z0-9]", "", str(each).lower()).removesuffix("codec")
            if plain not in _CODECS:
                raise Unknown
    return function(*arguments, **options)


def has_wide_field(pattern: object) -> bool:
    """Whether a format asks for a width of a thousand or more, or for one that it is given."""
    return _WIDE.search(str(pattern)) is not None
