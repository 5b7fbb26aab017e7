"""A text for any value, equal for values that are alike in two processes: no addresses, no order.

It looks into containers, objects and closures, to a depth and a number of parts.
"""

import hashlib
import itertools
import re
import types
from typing import Any

_DEPTH = 7
_ITEMS = 400
_TEXT = 2000
_ADDRESS = re.compile(r"( at )?0x[0-9a-fA-F]{6,}")
_PLAIN = (bool, int, float, complex, str, bytes, type(None), type(Ellipsis))
_BASES = (str, bytes, int, float)


def describe(value: Any, *, consume: bool = False) -> str:
    """The text. With `consume` iterators are read to their end, or to a number of items."""
    return _ADDRESS.sub("", _described(value, consume, _DEPTH, frozenset()))


def digest(text: str) -> str:
    """A short stand-in for a long text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:20]


def _described(value: Any, consume: bool, depth: int, above: frozenset[int]) -> str:
    kind = type(value)
    if kind in _PLAIN:
        return repr(value)
    if isinstance(value, type):
        return f"<class {value.__module__}.{value.__qualname__}>"
    if depth == 0 or id(value) in above:
        return f"<{kind.__qualname__}>"
    within = above | {id(value)}

    def inner(part: Any) -> str:
        return _described(part, consume, depth - 1, within)

    if isinstance(value, types.FunctionType):
        cells = [inner(each) for each in _cells(value)]
        return f"<function {value.__module__}.{value.__qualname__} {' '.join(cells)}>"
    if isinstance(value, types.ModuleType | types.BuiltinFunctionType | types.CodeType):
        return f"<{kind.__qualname__} {getattr(value, '__name__', '')}>"
    name = f"{kind.__module__}.{kind.__qualname__}"
    if isinstance(value, types.CoroutineType):
        value.close()
        return name
    if hasattr(kind, "__next__"):
        return name + (_read(value, inner) if consume else "")
    content = _content(value, inner)
    state = _state(value)
    if state:
        parts = [f"{each}={inner(part)}" for each, part in sorted(state.items())[:_ITEMS]]
        content = f"{content or ''}({', '.join(parts)})"
    if content is None:
        # Python code of the package could be called here; its failure is no description.
        try:
            content = f" {repr(value)[:_TEXT]}"
        except Exception as error:
            content = f" repr raises {type(error).__name__}"
    return name + content


def _cells(function: types.FunctionType) -> list[Any]:
    found = []
    for cell in function.__closure__ or ():
        try:
            found.append(cell.cell_contents)
        except ValueError:
            continue
    return found


def _read(iterator: Any, inner: Any) -> str:
    parts = []
    try:
        for part in itertools.islice(iterator, _ITEMS):
            parts.append(inner(part))
    except Exception as error:
        parts.append(f"raises {type(error).__name__}")
    return f"({', '.join(parts)})"


def _content(value: Any, inner: Any) -> str | None:
    """What a container or a text holds, whatever a subclass makes of it; None for others."""
    if isinstance(value, BaseException):
        return f"({', '.join(inner(part) for part in value.args)})"
    if isinstance(value, dict):
        items = itertools.islice(dict.items(value), _ITEMS)
        return "{" + ", ".join(f"{inner(key)}: {inner(each)}" for key, each in items) + "}"
    if isinstance(value, set | frozenset):
        base: Any = set if isinstance(value, set) else frozenset
        return "{" + ", ".join(sorted(inner(part) for part in base.__iter__(value))[:_ITEMS]) + "}"
    if isinstance(value, list | tuple):
        base = list if isinstance(value, list) else tuple
        parts = itertools.islice(base.__iter__(value), _ITEMS)
        return "[" + ", ".join(inner(part) for part in parts) + "]"
    for base in _BASES:
        if isinstance(value, base):
            return f"({base.__repr__(value)})"
    return None


def _state(value: Any) -> dict[str, Any]:
    """The attributes of an object, from its dictionary and its slots."""
    found = dict(getattr(value, "__dict__", None) or {})
    for kind in type(value).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in [slots] if isinstance(slots, str) else slots:
            if name in ("__dict__", "__weakref__"):
                continue
            hidden = name.startswith("__") and not name.endswith("__")
            attribute = f"_{kind.__name__.lstrip('_')}{name}" if hidden else name
            try:
                found[attribute] = getattr(value, attribute)
            except AttributeError:
                continue
    return found
