"""Resident memory of the processes that the embedded host consists of."""

import psutil


def resident_megabytes() -> dict[str, float]:
    """MB of the server, of the runner's worker, and of this process with the other three roles."""
    this = psutil.Process()
    found = {"host": _megabytes(this)}
    for child in this.children(recursive=True):
        words = child.cmdline()
        if "start-dev" in words:
            found["server"] = _megabytes(child)
        elif "runner" in words:
            found["runner"] = _megabytes(child)
    return found


def _megabytes(process: psutil.Process) -> float:
    return round(float(process.memory_info().rss) / 1e6, 1)
