"""Forking children that can neither harm nor outlive the one who forked them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import select
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .channel import Channel

_WRITTEN_BYTES = 256 << 20
_PDEATHSIG, _CHILD_SUBREAPER = 1, 36
_host: list[int] = []


def adopt_orphans(host: int) -> None:
    """Inherit the orphans of all descendants; `host` is the descriptor to the caller."""
    _host.append(host)
    _prctl(_CHILD_SUBREAPER, 1)


def _prctl(option: int, value: int) -> None:
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def host_gone() -> bool:
    """Whether the caller has closed its end; never true in forked processes."""
    if not _host:
        return False
    poll = select.poll()
    poll.register(_host[0], 0)
    return bool(poll.poll(0))


def start_child(body: Callable[[Channel], None]) -> tuple[int, Channel]:
    """Fork a child that runs `body(channel)` in its own session; return its pid and a channel."""
    down_read, down_write = os.pipe()
    up_read, up_write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            _host.clear()
            os.setsid()
            _prctl(_PDEATHSIG, signal.SIGKILL)
            os.close(down_write)
            os.close(up_read)
            body(Channel(down_read, up_write))
        finally:
            os._exit(0)
    os.close(down_read)
    os.close(up_write)
    return pid, Channel(up_read, down_write)


def end_child(pid: int) -> None:
    """Kill a child with its whole process group."""
    for end in (os.killpg, os.kill):
        with contextlib.suppress(OSError):
            end(pid, signal.SIGKILL)
    with contextlib.suppress(OSError):
        os.waitpid(pid, 0)


def end_strays(keep: int = 0) -> None:
    """Kill the inherited processes that tests left behind, all but `keep`."""
    children = Path("/proc/self/task") / str(os.getpid()) / "children"
    for _ in range(20):
        try:
            strays = [int(pid) for pid in children.read_text().split() if int(pid) != keep]
        except OSError:
            return
        if not strays:
            return
        for pid in strays:
            end_child(pid)


def limit_resources(seconds: int) -> None:
    """Bound this process's CPU time, in seconds, and the files it writes."""
    for what, most in (
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, _WRITTEN_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        value = most if hard == resource.RLIM_INFINITY else min(most, hard)
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(what, (value, hard))


def exit_noticed(pid: int) -> Callable[[], bool]:
    """A function that tells whether a child, or the caller of all this, is gone."""
    exited: list[int] = []

    def gone() -> bool:
        if host_gone() or exited:
            return True
        with contextlib.suppress(OSError):
            if os.waitpid(pid, os.WNOHANG)[0] == pid:
                exited.append(pid)  # looked at once more: its last words may be in the pipe
        return False

    return gone


def supervised(body: Callable[[Channel], None], limit: float) -> dict[str, Any]:
    """Run `body` in a child for at most `limit` seconds and return the answer that it sends.

    The answer's verdict is `timeout` past the limit, and `crash` when the child ended without one.
    """
    pid, channel = start_child(body)
    deadline = time.monotonic() + limit
    answer = channel.receive(deadline, exit_noticed(pid))
    if answer is None:
        late = time.monotonic() > deadline
        answer = {"verdict": "timeout" if late else "crash", "failed": [], "passed": []}
    end_child(pid)
    channel.close()
    return answer
