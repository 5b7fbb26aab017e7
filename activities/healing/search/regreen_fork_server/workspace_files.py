"""Putting candidates on disk and taking them off again, never through a symbolic link."""

from __future__ import annotations

import base64
import contextlib
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

ROOT = Path.cwd().resolve()
"""The workspace; the server is started in it."""

_pristine: dict[str, bytes] = {}


def _open(name: str, flags: int) -> BinaryIO:
    path = ROOT / name
    if ".." in path.parts or path.parent.resolve() != path.parent:
        raise ValueError(f"{name} does not lie plainly in the workspace")
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ValueError(f"{name} is not a regular file")
    return os.fdopen(descriptor, "rb" if flags == os.O_RDONLY else "wb")


def _write(name: str, content: bytes) -> None:
    with _open(name, os.O_WRONLY | os.O_TRUNC) as file:
        file.write(content)


def apply(edits: Sequence[Sequence[str]]) -> list[str]:
    """Write the files of a candidate and return their names.

    An edit is name, start, end and base64 of the replacement; those of a file do not overlap.
    Raises ValueError for a name that is no regular file inside the workspace.
    """
    changed: dict[str, bytes] = {}
    ordered = sorted(edits, key=lambda edit: (edit[0], int(edit[1]), int(edit[2])))
    for name, start, end, replacement in reversed(ordered):
        if name not in _pristine:
            with _open(name, os.O_RDONLY) as file:
                _pristine[name] = file.read()
        text = changed.get(name, _pristine[name])
        changed[name] = text[: int(start)] + base64.b64decode(replacement) + text[int(end) :]
    for name, content in changed.items():
        _write(name, content)
    return list(changed)


def restore(names: Sequence[str]) -> None:
    """Give files back the content they had before the first candidate."""
    for name in names:
        try:
            _write(name, _pristine[name])
        except OSError:  # a test removed it or put something else in its place
            path = ROOT / name
            path.unlink(missing_ok=True)
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
            with os.fdopen(descriptor, "wb") as file:
                file.write(_pristine[name])


def remove_bytecode() -> None:
    """Remove compiled files: those of before an edit must never stand in for it."""
    for folder, _, names in os.walk(ROOT):
        if Path(folder).name == "__pycache__":
            for name in names:
                with contextlib.suppress(OSError):
                    (Path(folder) / name).unlink()
