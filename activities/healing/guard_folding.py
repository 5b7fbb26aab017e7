"""Constant folding: what an expression is worth when it can be known without running the program.

A small interpreter for pure expressions: names that are bound once, arithmetic, formatting, slices,
joins, decodings and comprehensions over constants. Everything else is unknown. Sizes and steps are
bounded, because the text to be read may come from anyone.
"""

import ast
import zlib
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from activities.healing.guard_operations import (
    FUNCTIONS,
    METHODS,
    MOST_ITEMS,
    PLAIN,
    Unknown,
    has_wide_field,
    limited,
    operate,
)
from activities.healing.guard_scopes import Scopes

_MOST_STEPS = 5_000
_MOST_BITS = 4_096
_FAILURES = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError)

Names = Mapping[str, Any]
"""The names that a comprehension binds."""


class Folding:
    """The constants of one file."""

    def __init__(
        self,
        tree: ast.Module,
        origin: Callable[[ast.expr], str | None],
        elsewhere: Mapping[str, object],
    ) -> None:
        """`elsewhere` are constants of other files, by module and name: `constants.RATE`."""
        self._origin = origin
        self._elsewhere = elsewhere
        self.scopes = Scopes(tree)
        self._steps = 0
        self._active: set[int] = set()
        # The node is kept with its worth, so that no other one gets its id.
        self._known: dict[int, tuple[ast.AST, list[Any]]] = {}
        self._kinds: dict[type[ast.AST], Callable[[Any, Names], Any]] = {
            ast.Constant: lambda node, _: node.value,
            ast.Name: self._name,
            ast.Attribute: self._attribute,
            ast.Tuple: lambda node, names: tuple(self._all(node.elts, names)),
            ast.List: lambda node, names: self._all(node.elts, names),
            ast.Set: lambda node, names: set(self._all(node.elts, names)),
            ast.Dict: self._dictionary,
            ast.BinOp: self._operation,
            ast.UnaryOp: lambda node, names: operate(
                node.op, None, self._value(node.operand, names)
            ),
            ast.BoolOp: self._boolean,
            ast.Compare: self._comparison,
            ast.IfExp: lambda node, names: self._value(
                node.body if self._value(node.test, names) else node.orelse, names
            ),
            ast.JoinedStr: lambda node, names: "".join(map(str, self._all(node.values, names))),
            ast.FormattedValue: self._formatted,
            ast.Subscript: lambda node, names: self._value(node.value, names)[
                self._value(node.slice, names)
            ],
            ast.Slice: lambda node, names: slice(
                *(each and self._value(each, names) for each in (node.lower, node.upper, node.step))
            ),
            ast.Call: self._call,
            ast.GeneratorExp: self._comprehended,
            ast.ListComp: self._comprehended,
            ast.NamedExpr: lambda node, names: self._value(node.value, names),
            ast.Starred: lambda node, names: self._value(node.value, names),
        }

    def value(self, node: ast.AST) -> Any:
        """What an expression is worth. Raises Unknown."""
        if type(node) not in self._kinds:
            raise Unknown
        if id(node) not in self._known:
            self._steps = 0
            try:
                self._known[id(node)] = node, [self._value(node, {})]
            except (*_FAILURES, MemoryError, zlib.error):
                self._known[id(node)] = node, []
        _, worth = self._known[id(node)]
        if not worth:
            raise Unknown
        return worth[0]

    def text(self, node: ast.AST) -> str | None:
        """The text that an expression is worth; None for anything else."""
        try:
            value = self.value(node)
        except Unknown:
            return None
        if isinstance(value, bytes):
            return value.decode("utf-8", "replace")
        return value if isinstance(value, str) else None

    def number(self, node: ast.AST) -> float | None:
        """The number that an expression is worth; None for anything else."""
        try:
            value = self.value(node)
            is_number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
            return float(value) if is_number else None
        except (Unknown, OverflowError):
            return None

    def bound(self, node: ast.Name) -> list[ast.expr]:
        """The expressions that a name may stand for, in the nearest scope that binds it."""
        return [each for each in self.scopes.bound(node) if each is not None]

    def _value(self, node: ast.AST | None, names: Names) -> Any:
        self._steps += 1
        if node is None or self._steps > _MOST_STEPS or type(node) not in self._kinds:
            raise Unknown
        value = self._kinds[type(node)](node, names)
        if isinstance(value, str | bytes | list | tuple | dict | set | frozenset | range):
            if len(value) > MOST_ITEMS:
                raise Unknown
        elif isinstance(value, int) and value.bit_length() > _MOST_BITS:
            raise Unknown
        return value

    def _all(self, nodes: list[ast.expr], names: Names) -> list[Any]:
        found: list[Any] = []
        for node in nodes:
            value = self._value(node, names)
            found += value if isinstance(node, ast.Starred) else [value]
        return found

    def _name(self, node: ast.Name, names: Names) -> Any:
        if node.id in names:
            return names[node.id]
        bound = self.scopes.bound(node)
        if not bound:
            return self._imported(node)
        return self._only(bound)

    def _only(self, bound: list[ast.expr | None]) -> Any:
        if len(bound) != 1 or bound[0] is None or id(bound[0]) in self._active:
            raise Unknown
        self._active.add(id(bound[0]))
        try:
            return self._value(bound[0], {})
        finally:
            self._active.discard(id(bound[0]))

    def _attribute(self, node: ast.Attribute, _: Names) -> Any:
        owner = node.value.id if isinstance(node.value, ast.Name) else ""
        bound = self.scopes.of_class(owner, node.attr)
        return self._only(bound) if bound else self._imported(node)

    def _imported(self, node: ast.expr) -> Any:
        *_, module, name = ("", *(self._origin(node) or "").split("."))
        if f"{module}.{name}" not in self._elsewhere:
            raise Unknown
        return self._elsewhere[f"{module}.{name}"]

    def _operation(self, node: ast.BinOp, names: Names) -> Any:
        if isinstance(node.op, ast.Mult) and _is_zero(node.left, node.right):
            return 0
        left = self._value(node.left, names)
        return operate(node.op, left, self._value(node.right, names))

    def _dictionary(self, node: ast.Dict, names: Names) -> Any:
        pairs = zip(node.keys, node.values, strict=True)
        return {self._value(key, names): self._value(each, names) for key, each in pairs}

    def _comparison(self, node: ast.Compare, names: Names) -> Any:
        if len(node.ops) != 1:
            raise Unknown
        right = self._value(node.comparators[0], names)
        return operate(node.ops[0], self._value(node.left, names), right)

    def _boolean(self, node: ast.BoolOp, names: Names) -> Any:
        wanted = isinstance(node.op, ast.Or)
        value: Any = None
        for each in node.values:
            value = self._value(each, names)
            if bool(value) is wanted:
                break
        return value

    def _formatted(self, node: ast.FormattedValue, names: Names) -> str:
        value = self._value(node.value, names)
        conversions: dict[int, Callable[[Any], str]] = {ord("r"): repr, ord("s"): str}
        if node.conversion in conversions:
            value = conversions[node.conversion](value)
        pattern = "" if node.format_spec is None else str(self._value(node.format_spec, names))
        if has_wide_field(pattern):
            raise Unknown
        return format(value, pattern)

    def _call(self, node: ast.Call, names: Names) -> Any:
        if any(each.arg is None for each in node.keywords):
            raise Unknown
        name = (self._origin(node.func) or "").removeprefix("builtins.")
        if name == "map" and len(node.args) == 2:
            mapped = (self._origin(node.args[0]) or "").removeprefix("builtins.")
            items = self._value(node.args[1], names)
            return [limited(FUNCTIONS[mapped], mapped, [each], {}) for each in items]
        arguments = self._all(node.args, names)
        options = {str(each.arg): self._value(each.value, names) for each in node.keywords}
        if name in FUNCTIONS:
            return limited(FUNCTIONS[name], name, arguments, options)
        if not isinstance(node.func, ast.Attribute) or node.func.attr not in METHODS:
            raise Unknown
        base = self._value(node.func.value, names)
        if not isinstance(base, PLAIN) or (node.func.attr == "format" and has_wide_field(base)):
            raise Unknown
        found = limited(getattr(base, node.func.attr), node.func.attr, arguments, options)
        return list(found) if node.func.attr in {"items", "keys", "values"} else found

    def _comprehended(self, node: ast.GeneratorExp | ast.ListComp, names: Names) -> Any:
        generator = node.generators[0]
        if len(node.generators) != 1 or not isinstance(generator.target, ast.Name):
            raise Unknown
        found = []
        for item in self._value(generator.iter, names):
            inner = {**names, generator.target.id: item}
            if all(self._value(each, inner) for each in generator.ifs):
                found.append(self._value(node.elt, inner))
        return found


def _is_zero(*factors: ast.expr) -> bool:
    """Whether one factor is zero, whatever the other one is."""
    return any(isinstance(each, ast.Constant) and each.value == 0 for each in factors)
