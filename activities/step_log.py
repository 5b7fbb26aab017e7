"""The log of a step: what its commands print, in the artifact store while they run.

Each attempt of an activity has one. It is a row of objects, written once and never changed:

    logs/<run id of the workflow>/<activity id>.<activity>.<attempt>/<sequence>-<command>

`<command>` counts the attempt's commands from 1; in the place of the last object's stands `last`.
An attempt without one runs, or its worker was killed; one that printed nothing has no objects.
Writing goes on beside the step: it neither delays nor fails it, and what a store does not take in
time is left out.
"""

import asyncio
import contextlib
import logging
import os
import re
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import obstore
from temporalio import activity

from activities.artifact_store import open_store
from regreen.settings import load_settings

LAST = "last"
"""What stands in the place of the command in the name of an attempt's last object."""

_SECONDS = 1.0
_CHUNK = 64 << 10
_MOST = 8 << 20
_END = 64 << 10
# Every so many objects the pause between them grows by a second, so that a day makes ten thousand.
_SLOWER_EVERY = 500
_PUT_SECONDS = 10.0
_GIVE_UP_SECONDS = 30.0

_logger = logging.getLogger(__name__)
_writing: set[asyncio.Task[None]] = set()


@dataclass
class _Command:
    number: int
    written: BinaryIO
    read: int = 0
    """How many bytes of it are in the store."""
    ends_a_line: bool = True
    ended: bool = False


class StepLog:
    """The log of one attempt; see `kept`."""

    def __init__(self, url: str, folder: str) -> None:
        self._url = url
        self._folder = folder
        self._sequence = 0
        self._commands: list[_Command] = []
        self._begun = 0
        self._left = _MOST
        self._left_out = 0
        self._end = b""
        self._closed = asyncio.Event()
        self._told = False
        self._task: asyncio.Task[None] | None = None

    def begin(self, output: Path) -> _Command:
        """Keep what is written to a file from now on. Nobody else may have had it in hand yet."""
        self._begun += 1
        # Opened now: a sandboxed command can put a link to any file in its place later.
        command = _Command(self._begun, output.open("rb"))
        self._commands.append(command)
        if self._task is None:
            self._task = asyncio.create_task(self._write())
            _writing.add(self._task)
            self._task.add_done_callback(_writing.discard)
        return command

    def close(self) -> None:
        """Say that no command comes any more. What is left is written after this returns."""
        self._closed.set()
        if self._task is not None:
            giving_up = asyncio.get_running_loop().call_later(_GIVE_UP_SECONDS, self._task.cancel)
            self._task.add_done_callback(lambda _: giving_up.cancel())

    async def _write(self) -> None:
        try:
            while not self._closed.is_set():
                await self._copy_all()
                pause = _SECONDS * (1 + self._sequence // _SLOWER_EVERY)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._closed.wait(), pause)
            await self._copy_all()
            await self._write_end()
        except (Exception, asyncio.CancelledError) as error:
            _logger.warning("the log of %s is cut: %s", self._folder, error or type(error).__name__)
        finally:
            for command in self._commands:
                command.written.close()

    async def _copy_all(self) -> None:
        for command in list(self._commands):
            # Asked first: what it writes up to its end is below.
            ended = command.ended or self._closed.is_set()
            await self._copy(command)
            if ended:
                if not command.ends_a_line:
                    await self._put(b"\n", str(command.number))
                self._leave_out(command)
                command.written.close()
                self._commands.remove(command)

    async def _copy(self, command: _Command) -> None:
        while self._left > 0:
            most = min(_CHUNK, self._left)
            data = os.pread(command.written.fileno(), most, command.read)
            if not data:
                return
            await self._put(data, str(command.number))
            command.read += len(data)
            command.ends_a_line = data.endswith(b"\n")
            self._left -= len(data)

    def _leave_out(self, command: _Command) -> None:
        file = command.written.fileno()
        size = os.fstat(file).st_size
        if size > command.read:
            self._left_out += size - command.read
            end = os.pread(file, _END, max(command.read, size - _END))
            self._end = (self._end + end)[-_END:]

    async def _write_end(self) -> None:
        end = self._end
        if self._left_out:
            missing = self._left_out - len(end)
            end = b"[... %d bytes left out ...]\n%b" % (missing, end)
        if self._sequence or end:
            await self._put(end, LAST)

    async def _put(self, data: bytes, name: str) -> None:
        key = f"{self._folder}/{self._sequence:06d}-{name}"
        while True:
            try:
                store = open_store(self._url)
                async with asyncio.timeout(_PUT_SECONDS):
                    # Again means the same bytes under the same name: it may have been stored.
                    await obstore.put_async(store, key, data)
                break
            except Exception as error:
                if not self._told:
                    _logger.warning("%s is not stored yet: %s", key, error or type(error).__name__)
                    self._told = True
                await asyncio.sleep(_SECONDS)
        self._sequence += 1


_current: ContextVar[StepLog | None] = ContextVar("step_log", default=None)


@contextlib.contextmanager
def kept() -> Iterator[None]:
    """Keep a log of the activity that runs in the block: of each command by `run_process`."""
    info = activity.info()
    folder = f"{folder_of(info.workflow_run_id or '')}/{_name(info)}"
    log = StepLog(load_settings().artifacts_url, folder)
    token = _current.set(log)
    try:
        yield
    finally:
        _current.reset(token)
        log.close()


@contextlib.contextmanager
def logged(output: Path) -> Iterator[None]:
    """Keep what is written to a file during the block, if the activity has a log."""
    log = _current.get()
    if log is None:
        yield
        return
    command = log.begin(output)
    try:
        yield
    finally:
        command.ended = True


async def written(seconds: float) -> None:
    """Wait until the logs of activities that have ended are in the store, or time is up."""
    if _writing:
        await asyncio.wait(set(_writing), timeout=seconds)


@dataclass(frozen=True)
class LoggedAttempt:
    """One attempt of an activity, as its log's folder names it."""

    activity_id: str
    activity: str
    number: int


def folder_of(run: str) -> str:
    """The folder of all logs of a workflow, by its run id."""
    return f"logs/{run}"


def attempt_of(folder: str) -> LoggedAttempt | None:
    """What the name of an attempt's folder says; None for another folder."""
    found = re.fullmatch(r"([\w-]+)\.([\w-]+)\.(\d{1,9})", folder.rpartition("/")[2])
    return found and LoggedAttempt(found[1], found[2], int(found[3]))


def _name(info: activity.Info) -> str:
    words = (info.activity_id, info.activity_type, str(info.attempt))
    return ".".join(re.sub(r"[^\w-]", "_", word) for word in words)
