"""Whether a process still lives."""

import psutil


def is_alive(process: int) -> bool:
    """Whether a process id belongs to a process that can still do something."""
    try:
        return psutil.Process(process).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
