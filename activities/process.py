"""Running a subprocess from an activity: heartbeats, whole-group cancellation, bounded output."""

import asyncio
import contextlib
import os
import shutil
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from temporalio import activity

from activities.step_log import logged
from regreen.printable import printable

_HEARTBEAT_SECONDS = 1.0
_TERMINATION_GRACE_SECONDS = 3.0


@dataclass(frozen=True)
class Completed:
    """How a subprocess ended."""

    code: int
    """Exit code; negative when a signal ended it."""
    seconds: float
    output: Path
    """File with everything it printed, standard error included."""
    timed_out: bool = False

    def tail(self, characters: int = 2000) -> str:
        """The end of the output, decoded leniently."""
        return tail_of(self.output, characters)


def tail_of(path: Path, characters: int) -> str:
    """The last `characters` of a text file, printable; empty when there is no such file."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 4 * characters))
            return printable(file.read().decode("utf-8", "replace"))[-characters:]
    except OSError:
        return ""


@lru_cache(maxsize=1)
def die_with_parent() -> tuple[str, ...]:
    """The words before a command that make it end when this process dies, even of SIGKILL.

    Without them a command outlives its worker and works on in parallel with its own retry.
    """
    setpriv = shutil.which("setpriv")
    return (setpriv, "--pdeathsig", "KILL") if setpriv else ()


async def run_process(
    command: Sequence[str],
    *,
    output: Path,
    timeout: float,
    subject: str,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Completed:
    """Run a command to its end and return how it ended.

    `output` receives standard output and error. `timeout` is in seconds; past it the whole process
    group is ended and `timed_out` is set. Inside an activity a heartbeat with `subject`, the last
    line printed and the seconds passed is sent every second, and the output goes to the step's log
    (`activities/step_log.py`). On cancellation the process group gets SIGTERM, then SIGKILL.
    """
    started = time.monotonic()
    with output.open("wb") as sink, logged(output):
        process = await asyncio.create_subprocess_exec(
            *die_with_parent(),
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=sink,
            stderr=asyncio.subprocess.STDOUT,
            env=None if env is None else dict(env),
            cwd=cwd,
            start_new_session=True,
        )
        sink.close()
        timed_out = False
        try:
            while process.returncode is None:
                left = timeout - (time.monotonic() - started)
                if left <= 0:
                    timed_out = True
                    break
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(process.wait(), min(_HEARTBEAT_SECONDS, left))
                _heartbeat(subject, output, time.monotonic() - started)
        finally:
            await asyncio.shield(_end_group(process))
    assert process.returncode is not None
    return Completed(process.returncode, time.monotonic() - started, output, timed_out)


def _heartbeat(subject: str, output: Path, seconds: float) -> None:
    if activity.in_activity():
        lines = tail_of(output, 200).strip().splitlines()
        activity.heartbeat(
            {"subject": subject, "seconds": round(seconds), "line": lines[-1] if lines else ""}
        )


async def _end_group(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    if process.returncode is None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), _TERMINATION_GRACE_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
