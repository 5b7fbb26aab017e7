"""Random edits of values that keep their types."""

import datetime
import decimal
import fractions
import random
from typing import Any

_SPICE = " _-.,:;/0197aAzZ\n"
_DEPTH = 3


def edited(value: Any, chance: random.Random, depth: int = 0) -> Any:
    """Another value of the same type near this one; the value itself where there is no edit."""
    kind = type(value)
    if kind is bool:
        return not value
    if kind is int:
        near = (value + 1, value - 1, -value, 0, 1, value * 10, value // 2)
        return chance.choice((*near, chance.randint(-20, 40)))
    if kind is float:
        return chance.choice((value + 1, value - 0.5, -value, 0.0, value * 10, value / 3))
    if kind in (decimal.Decimal, fractions.Fraction):
        return chance.choice((value + 1, value - 1, -value, value * 0, value * 10))
    if kind in (str, bytes):
        return _text(value, _SPICE if kind is str else _SPICE.encode(), chance)
    if kind in (list, tuple) and value and depth < _DEPTH:
        return kind(_items(list(value), chance, depth, same_length=kind is tuple and depth > 0))
    if kind is dict and value and depth < _DEPTH:
        return _entries(dict(value), chance, depth)
    if kind in (set, frozenset) and value:
        return kind(sorted(value, key=repr)[1:])
    if kind in (datetime.datetime, datetime.date, datetime.timedelta):
        return _shifted(value, chance)
    return value


def _text(value: Any, spice: Any, chance: random.Random) -> Any:
    at = chance.randint(0, len(value))
    to = chance.randint(at, len(value))
    drawn = chance.randrange(len(spice))
    new = spice[drawn : drawn + 1]
    return chance.choice(
        (
            value[:at] + new + value[at:],
            value[:at] + new + value[at + 1 :],
            value[:at] + value[at + 1 :],
            value[:at] + value[to:],
            value[:to] + value[at:],
            value[:at] + value[at : at + 2][::-1] + value[at + 2 :],
            value[at:to],
            value[:1],
            value[:0],
            new,
            new + value,
            value + new,
            value + value,
            value.swapcase(),
        )
    )


def _items(items: list[Any], chance: random.Random, depth: int, same_length: bool) -> list[Any]:
    at = chance.randrange(len(items))
    ways = ["edit", "edit", "edit", "swap"]
    ways += [] if same_length else ["drop", "repeat", "cut", "empty"]
    match chance.choice(ways):
        case "edit":
            items[at] = edited(items[at], chance, depth + 1)
        case "swap":
            to = chance.randrange(len(items))
            items[at], items[to] = items[to], items[at]
        case "drop":
            del items[at]
        case "cut":
            del items[at + 1 :]
        case "empty":
            items.clear()
        case _:
            items.insert(at, items[at])
    return items


def _entries(entries: dict[Any, Any], chance: random.Random, depth: int) -> dict[Any, Any]:
    key = chance.choice(list(entries))
    if chance.random() < 0.3:
        del entries[key]
    else:
        entries[key] = edited(entries[key], chance, depth + 1)
    return entries


def _shifted(value: Any, chance: random.Random) -> Any:
    by = datetime.timedelta(days=chance.randint(-500, 500), seconds=chance.randint(0, 90_000))
    try:
        return value + by
    except (OverflowError, ValueError):
        return value
