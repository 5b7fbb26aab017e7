"""JSON documents over file descriptors."""

from __future__ import annotations

import contextlib
import json
import os
import select
import time
from collections.abc import Callable
from typing import Any


class Channel:
    """One JSON document a line, in both directions."""

    def __init__(self, reading: int, writing: int) -> None:
        self.reading = reading
        self.writing = writing
        self._buffer = b""

    def send(self, message: dict[str, Any]) -> None:
        """Write one document. Raises OSError when nobody reads any more."""
        data = json.dumps(message).encode() + b"\n"
        while data:
            data = data[os.write(self.writing, data) :]

    def receive(
        self, deadline: float | None = None, until: Callable[[], bool] | None = None
    ) -> dict[str, Any] | None:
        """The next document; None when the writer is gone, past the deadline, or once `until()`."""
        while b"\n" not in self._buffer:
            wait = None if deadline is None else 0.05
            ready, _, _ = select.select([self.reading], [], [], wait)
            if ready:
                piece = os.read(self.reading, 1 << 16)
                if not piece:
                    return None
                self._buffer += piece
            elif (until is not None and until()) or (
                deadline is not None and time.monotonic() > deadline
            ):
                return None
        line, _, self._buffer = self._buffer.partition(b"\n")
        document: dict[str, Any] = json.loads(line)
        return document

    def close(self) -> None:
        """Close both ends."""
        for descriptor in {self.reading, self.writing}:
            with contextlib.suppress(OSError):
                os.close(descriptor)
