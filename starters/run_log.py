"""Reading the logs of a run's steps from the artifact store, line by line as they grow."""

import re
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field
from datetime import datetime

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from activities.healing.redaction import REDACTED, redact
from activities.step_log import LAST, LoggedAttempt, attempt_of, folder_of
from regreen.errors import UnreachableError
from regreen.printable import printable

# A longer line is shown in pieces, so that no output needs more memory than this.
_LONGEST_LINE = 64 << 10

_KEY_BEGINS = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")
_KEY_GOES_ON = re.compile(r"[A-Za-z0-9+/=]*|[A-Za-z-]+: .*|-----END [A-Z ]*PRIVATE KEY-----")


@dataclass(frozen=True)
class LogLine:
    """One line that a step printed."""

    time: datetime
    """When the store got it."""
    run: str
    """Run id of the workflow that the step belongs to."""
    attempt: LoggedAttempt
    text: str
    """Without its line end, and without what a terminal would obey."""


@dataclass
class _Stream:
    """What one command of an attempt has printed."""

    pending: bytes = b""
    """The beginning of a line whose end has not come."""
    in_key: bool = False

    def lines(self, data: bytes, *, ended: bool = False) -> list[str]:
        whole, end, rest = (self.pending + data).rpartition(b"\n")
        whole += end
        if ended or len(rest) > _LONGEST_LINE:
            whole, rest = whole + rest, b""
        self.pending = rest
        if not whole:
            return []
        text = printable(whole.decode("utf-8", "replace")).removesuffix("\n")
        return [self._without_secrets(line) for line in text.split("\n")]

    def _without_secrets(self, line: str) -> str:
        # A private key is the only secret of several lines.
        if _KEY_BEGINS.search(line):
            self.in_key = True
        elif self.in_key and _KEY_GOES_ON.fullmatch(line.strip()):
            self.in_key = "-----END" not in line
            return REDACTED
        else:
            self.in_key = False
        return redact(line)


@dataclass
class _Position:
    """How far the log of one attempt has been read."""

    folder: str
    run: str
    attempt: LoggedAttempt
    began: datetime
    read: str = ""
    """The last object that was read."""
    read_at: datetime | None = None
    ended: bool = False
    streams: dict[str, _Stream] = field(default_factory=dict)

    @property
    def order(self) -> tuple[datetime, str, int]:
        return self.began, self.attempt.activity_id, self.attempt.number


class RunLog:
    """The logs of a run's steps. It remembers what it has told, and tells nothing twice."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._positions: dict[str, _Position] = {}

    async def new_lines(self, runs: Collection[str]) -> AsyncIterator[LogLine]:
        """What has come since the last call, step by step, of the workflows with these run ids.

        Raises UnreachableError when the store does not answer; a later call goes on from there.
        """
        try:
            for run in runs:
                await self._find_attempts(run)
            for position in sorted(self._positions.values(), key=lambda each: each.order):
                if position.run in runs and not position.ended:
                    async for line in self._lines_of(position):
                        yield line
        except (BaseError, OSError) as error:
            first = str(error).strip().partition("\n")[0][:300]
            raise UnreachableError(f"the artifact store does not answer: {first}") from error

    @property
    def complete(self) -> bool:
        """Whether every step that was found has said all it had to say, or was tried again."""
        return all(
            position.ended or self._superseded(position) for position in self._positions.values()
        )

    async def _find_attempts(self, run: str) -> None:
        listed = await obstore.list_with_delimiter_async(self._store, f"{folder_of(run)}/")
        for folder in listed["common_prefixes"]:
            attempt = attempt_of(folder)
            if attempt is not None and folder not in self._positions:
                objects = await self._objects(folder, "")
                if objects:
                    began = objects[0][1]
                    self._positions[folder] = _Position(folder, run, attempt, began)

    async def _objects(self, folder: str, after: str) -> list[tuple[str, datetime]]:
        found = []
        async for batch in obstore.list(self._store, f"{folder}/", offset=after or None):
            found += [(each["path"], each["last_modified"]) for each in batch]
        return sorted(found)

    async def _lines_of(self, position: _Position) -> AsyncIterator[LogLine]:
        for path, time in await self._objects(position.folder, position.read):
            command = path.rpartition("-")[2]
            data = bytes(await (await obstore.get_async(self._store, path)).bytes_async())
            if command == LAST:
                for line in self._rest_of(position):
                    yield line
            stream = position.streams.setdefault(command, _Stream())
            texts = stream.lines(data, ended=command == LAST)
            # Before the lines are handed out, so that nothing is told twice whatever comes.
            position.read, position.read_at = path, time
            position.ended = command == LAST
            for text in texts:
                yield LogLine(time, position.run, position.attempt, text)
        if self._superseded(position):
            for line in self._rest_of(position):
                yield line

    def _rest_of(self, position: _Position) -> list[LogLine]:
        time = position.read_at or position.began
        return [
            LogLine(time, position.run, position.attempt, text)
            for stream in position.streams.values()
            for text in stream.lines(b"", ended=True)
        ]

    def rest(self) -> list[LogLine]:
        """The unended last lines of steps whose end never came; for a run that has ended."""
        return [line for each in self._positions.values() for line in self._rest_of(each)]

    def _superseded(self, position: _Position) -> bool:
        return any(
            other.run == position.run
            and other.attempt.activity_id == position.attempt.activity_id
            and other.attempt.number > position.attempt.number
            for other in self._positions.values()
        )
