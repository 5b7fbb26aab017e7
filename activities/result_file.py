"""Reading the files that a sandboxed command left in its results folder.

The command runs a repository's code, so a result may be anything: a symbolic link to a file of
this machine, a pipe that never answers, a file without end, garbage.
"""

import os
import stat
from pathlib import Path

MAXIMUM_BYTES = 64 << 20


def is_result(path: Path) -> bool:
    """Whether the path is a regular file, not a link to one."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def read_result(path: Path) -> bytes | None:
    """The content of a regular file of at most 64 MiB; None for anything else."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size > MAXIMUM_BYTES:
            return None
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(MAXIMUM_BYTES)
    finally:
        os.close(descriptor)
