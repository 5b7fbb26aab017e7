"""What the workspace's modules hold, so that one candidate's traces can be wiped before the next.

A copy of names, containers and objects, as far as they can be reached from the modules: a process
that tries many candidates in turn must not let a cache or a counter of one reach another. What lies
deeper is not seen, which is why nothing is believed of a candidate that passes until it passed in a
process of its own.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import gc
import sys
import types
from pathlib import Path
from typing import Any

from .workspace_files import ROOT

_MOST_THINGS = 20_000
_DEEPEST = 5
_LARGE = 500
"""Entries beyond which a container is a table: only a changed length is noticed."""
_MAPPINGS = (dict, collections.OrderedDict, collections.defaultdict, collections.Counter)
_SEQUENCES = (list, collections.deque)
_CACHE = type(functools.lru_cache(maxsize=1)(lambda: None))
_MISSING = object()


class ModuleState:
    """A copy of the state of the workspace's modules at one moment."""

    def __init__(self) -> None:
        self._mappings: list[tuple[Any, dict[Any, Any]]] = []
        self._sequences: list[tuple[Any, list[Any]]] = []
        self._sets: list[tuple[set[Any], set[Any]]] = []
        self._classes: list[tuple[type, dict[str, Any]]] = []
        self._seen: set[int] = set()
        for module in list(sys.modules.values()):
            if _in_workspace(getattr(module, "__file__", None)):
                self._keep(vars(module), 0)
        self._caches = [thing for thing in gc.get_objects() if type(thing) is _CACHE]

    def restore(self) -> None:
        """Put everything back; what was kept stays as it is."""
        for cache in self._caches:
            cache.cache_clear()
        for mapping, kept in self._mappings:
            if _mapping_differs(mapping, kept):
                mapping.clear()
                mapping.update(kept)
        for sequence, entries in self._sequences:
            if len(sequence) != len(entries) or (
                len(entries) <= _LARGE and any(map(_is_not, sequence, entries))
            ):
                sequence.clear()
                sequence.extend(entries)
        for one, members in self._sets:
            if len(one) != len(members) or (len(members) <= _LARGE and one != members):
                one.clear()
                one.update(members)
        for owner, attributes in self._classes:
            _restore_class(owner, attributes)

    def _keep(self, thing: Any, depth: int) -> None:
        if depth > _DEEPEST or id(thing) in self._seen or len(self._seen) > _MOST_THINGS:
            return
        kind = type(thing)
        inside: list[Any] = []
        if kind in _MAPPINGS:
            self._mappings.append((thing, dict(thing)))
            inside = list(thing.values()) if len(thing) <= _LARGE else []
        elif kind in _SEQUENCES:
            self._sequences.append((thing, list(thing)))
            inside = list(thing) if len(thing) <= _LARGE else []
        elif kind is set:
            self._sets.append((thing, set(thing)))
        elif kind is tuple:
            inside = list(thing[:_LARGE])
        elif isinstance(thing, type):
            if _in_workspace(getattr(sys.modules.get(thing.__module__), "__file__", None)):
                attributes = dict(vars(thing))
                self._classes.append((thing, attributes))
                inside = list(attributes.values())
        elif kind is types.FunctionType:
            inside = [thing.__defaults__, thing.__kwdefaults__, thing.__dict__]
            inside += [_content(cell) for cell in thing.__closure__ or ()]
        elif kind in (staticmethod, classmethod):
            inside = [thing.__func__]
        elif _in_workspace(getattr(sys.modules.get(kind.__module__), "__file__", None)):
            inside = [getattr(thing, "__dict__", None)]
        else:
            return
        self._seen.add(id(thing))
        for one in inside:
            self._keep(one, depth + 1)


def _in_workspace(file: object) -> bool:
    return isinstance(file, str) and Path(file).is_absolute() and file.startswith(f"{ROOT}/")


def _content(cell: types.CellType) -> Any:
    with contextlib.suppress(ValueError):
        return cell.cell_contents
    return None


def _is_not(left: object, right: object) -> bool:
    return left is not right


def _mapping_differs(mapping: dict[Any, Any], kept: dict[Any, Any]) -> bool:
    if len(mapping) != len(kept):
        return True
    if len(kept) > _LARGE:
        return False
    return any(mapping.get(key, _MISSING) is not value for key, value in kept.items())


def _restore_class(owner: type, attributes: dict[str, Any]) -> None:
    now = vars(owner)
    if len(now) == len(attributes) and all(
        now.get(name, _MISSING) is value for name, value in attributes.items()
    ):
        return
    for name in [name for name in now if name not in attributes]:
        with contextlib.suppress(AttributeError, TypeError):
            delattr(owner, name)
    for name, value in attributes.items():
        if now.get(name, _MISSING) is not value:
            with contextlib.suppress(AttributeError, TypeError):
                setattr(owner, name, value)
