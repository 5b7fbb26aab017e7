"""The arguments of one call: caught from its frame, copied, edited, given again."""

import copy
import inspect
import random
import types
from typing import Any

from .random_edits import edited
from .time_limit import TooLong, limited

_RECEIVERS = ("self", "cls", "mcs")


class Arguments:
    """Arguments by parameter. Those that are the parameter's default are left out.

    So a wrong default shows: two versions of a function are given the same and add their own.
    """

    def __init__(self, values: dict[str, Any], kinds: dict[str, Any]) -> None:
        self.values = values
        self._kinds = kinds

    @classmethod
    def of(cls, frame: types.FrameType, function: types.FunctionType) -> "Arguments":
        """What a call that has just begun was given."""
        values, kinds = {}, {}
        signature = inspect.signature(function, follow_wrapped=False)
        for name, parameter in signature.parameters.items():
            kinds[name] = parameter.kind
            value = frame.f_locals[name]
            if value is not parameter.default:
                values[name] = value
        return cls(values, kinds)

    def copied(self) -> "Arguments | None":
        """The same on deep copies, or None when something cannot be copied."""
        try:
            with limited():
                return Arguments(copy.deepcopy(self.values), self._kinds)
        except (Exception, TooLong):
            return None

    def edit(self, chance: random.Random) -> bool:
        """Edit one or two arguments; False when none can be. The receiver stays as it was."""
        names = [name for name in self.values if name not in _RECEIVERS]
        chance.shuffle(names)
        wanted, changed = chance.choice((1, 1, 2)), 0
        for name in names:
            before = self.values[name]
            self.values[name] = edited(before, chance)
            changed += self.values[name] is not before
            if changed == wanted:
                break
        return changed > 0

    def call(self, function: types.FunctionType) -> Any:
        """Call the function with them."""
        positional: list[Any] = []
        named: dict[str, Any] = {}
        more = any(
            kind is inspect.Parameter.VAR_POSITIONAL and self.values.get(name)
            for name, kind in self._kinds.items()
        )
        for name, kind in self._kinds.items():
            if name not in self.values:
                continue
            value = self.values[name]
            if kind is inspect.Parameter.VAR_POSITIONAL:
                positional += value
            elif kind is inspect.Parameter.VAR_KEYWORD:
                named |= value
            elif kind is inspect.Parameter.POSITIONAL_ONLY or (
                more and kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
            ):
                positional.append(value)
            else:
                named[name] = value
        return function(*positional, **named)
