"""Logs as artifacts: the beginning and the end of one that is too long to keep."""

import asyncio
import os
from pathlib import Path

from activities.artifact_store import put_bytes, put_file
from regreen.contracts.artifacts import ArtifactRef

_BEGINNING = 1 << 20
_END = 7 << 20


async def put_log(path: Path) -> ArtifactRef:
    """Store a log. Of one above 8 MiB, the first MiB and the last seven, and what is missing."""
    if path.is_symlink() or path.stat().st_size <= _BEGINNING + _END:
        return await put_file(path, "text/plain")
    return await put_bytes(path.name, await asyncio.to_thread(_shortened, path), "text/plain")


def _shortened(path: Path) -> bytes:
    with path.open("rb") as file:
        beginning = file.read(_BEGINNING)
        left_out = file.seek(-_END, os.SEEK_END) - _BEGINNING
        return b"%b\n[... %d bytes left out ...]\n%b" % (beginning, left_out, file.read(_END))
