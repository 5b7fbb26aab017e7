"""Exchanging the code of live functions for that of a candidate."""

from __future__ import annotations

import gc
import sys
import types
from pathlib import Path
from typing import Any

from .workspace_files import ROOT

Places = dict[tuple[str, str, int], list[types.FunctionType]]
"""The live functions by file, name and first line."""

_FUTURE_FLAGS = 0x01FFE000 | 0x20000
"""Code flags of `from __future__` features, which compiling a part of the file must repeat."""


def functions_by_place() -> Places:
    """All live functions of the workspace's files."""
    places: Places = {}
    real: dict[str, str] = {}
    for thing in gc.get_objects():
        if type(thing) is types.FunctionType:
            code = thing.__code__
            if code.co_filename not in real:
                real[code.co_filename] = str(Path(code.co_filename).resolve())
            path = real[code.co_filename]
            if path.startswith(str(ROOT)):
                places.setdefault((path, code.co_name, code.co_firstlineno), []).append(thing)
    return places


def loaded_files() -> set[str]:
    """The files of all imported modules."""
    return {
        str(Path(module.__file__).resolve())
        for module in list(sys.modules.values())
        if isinstance(getattr(module, "__file__", None), str) and module.__file__
    }


Undo = list[tuple[types.FunctionType, types.CodeType]]
"""Functions with the code that they had before."""


def exchange(hot: dict[str, Any], places: Places, loaded: set[str], undo: Undo) -> bool:
    """Give the functions on the way to an edit their new code; False when that cannot be.

    `hot` has the file's `path`, the `chain` of enclosing functions as name and first line,
    outermost first, and a `text` that holds the outermost one in its place. What was exchanged is
    added to `undo`, also when the whole cannot be.
    """
    path = str((ROOT / hot["path"]).resolve())
    if path not in loaded:
        return True  # the test itself imports it, from the edited file
    chain = [(str(name), int(line)) for name, line in hot["chain"]]
    live = [places.get((path, name, line), []) for name, line in chain]
    if not live or not live[0]:
        return False
    first = live[0][0].__code__
    try:
        flags = first.co_flags & _FUTURE_FLAGS
        code: types.CodeType | None = compile(hot["text"], first.co_filename, "exec", flags, True)
    except (SyntaxError, ValueError):
        return False
    for place, (name, line) in enumerate(chain):
        code = code and _inner_code(code, name, line)
        if code is None:
            return False
        for function in live[place]:
            before = function.__code__
            try:
                function.__code__ = code
                undo.append((function, before))
            except ValueError:  # it closes over other variables than before
                return False
    return True


def take_back(undo: Undo) -> None:
    """Give functions back the code that they had."""
    for function, code in reversed(undo):
        function.__code__ = code
    undo.clear()


def _inner_code(code: types.CodeType, name: str, line: int) -> types.CodeType | None:
    waiting = [code]
    while waiting:
        for constant in waiting.pop().co_consts:
            if isinstance(constant, types.CodeType):
                if constant.co_name == name and constant.co_firstlineno == line:
                    return constant
                waiting.append(constant)
    return None
