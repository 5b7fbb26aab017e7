"""Catching the chosen calls, and replaying them in a forked child.

The test goes on in the parent and notices nothing of what the replays change.
"""

import dis
import gc
import json
import os
import random
import resource
import signal
import sys
import time
import types
from pathlib import Path
from typing import Any

from .arguments import Arguments
from .description import describe, digest
from .outcome import outcome

_CALLS_A_TEST = 3
_CHILD_SECONDS = 12.0
_MEMORY = 3 << 30
_SHOWN = 300

Target = tuple[str, str]


class Recorder:
    """Watches the calls of the target functions while a test runs."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self._targets: dict[tuple[str, str], Target] = {
            (str(Path.cwd() / path), name): (path, name) for path, name in plan["targets"]
        }
        chosen = plan["selected"]
        self._selected = None if chosen is None else {tuple(each) for each in chosen}
        self._variants = int(plan["variants"])
        self._output = Path(plan["output"])
        self._test = ""
        self._numbers: dict[tuple[str, Target], int] = {}
        self._starts: dict[types.CodeType, int] = {}

    def watch(self, test: str) -> None:
        """Begin to look at every call of this process, for the test of that id."""
        self._test = test
        sys.setprofile(self._profile)

    def _profile(self, frame: types.FrameType, event: str, _: object) -> None:
        if event != "call":
            return
        code = frame.f_code
        target = self._targets.get((code.co_filename, code.co_qualname))
        if target is None or frame.f_lasti > self._start(code):
            return
        number = self._numbers.get((self._test, target), 0)
        self._numbers[self._test, target] = number + 1
        if number >= _CALLS_A_TEST:
            return
        if self._selected is None:
            self._write({"test": self._test, "target": target, "number": number})
        elif (self._test, *target, number) in self._selected:
            sys.setprofile(None)
            try:
                self._fork(frame, target, number)
            finally:
                sys.setprofile(self._profile)

    def _start(self, code: types.CodeType) -> int:
        """A generator's frame is entered again and again; only its first time is a call."""
        if code not in self._starts:
            begins = (each.offset for each in dis.get_instructions(code) if each.opname == "RESUME")
            self._starts[code] = next(begins, 0)
        return self._starts[code]

    def _write(self, record: dict[str, Any]) -> None:
        with self._output.open("a") as file:
            file.write(json.dumps(record) + "\n")

    def _fork(self, frame: types.FrameType, target: Target, number: int) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        child = os.fork()
        if child == 0:
            try:
                self._replay(frame, target, number)
            finally:
                os._exit(0)
        limit = time.monotonic() + _CHILD_SECONDS
        while os.waitpid(child, os.WNOHANG) == (0, 0):
            if time.monotonic() > limit:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                return
            time.sleep(0.002)

    def _replay(self, frame: types.FrameType, target: Target, number: int) -> None:
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        silent = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(silent, stream)
        function = _function_of(frame)
        if function is None:
            return
        given = Arguments.of(frame, function)
        for variant in range(self._variants + 1):
            used = given.copied()
            if used is None:
                if variant:
                    return
                # What cannot be copied can be used once, as it is.
                used = given
            chance = random.Random(f"{target} {self._test} {number} {variant}")
            if variant and not used.edit(chance):
                return
            shown = describe(used.values)
            record = {
                "test": self._test,
                "target": target,
                "number": number,
                "variant": variant,
                "input": digest(shown),
                "shown_input": shown[:_SHOWN],
            }
            self._write(record | outcome(function, used))


def _function_of(frame: types.FrameType) -> types.FunctionType | None:
    """The function object whose call this frame is; None when it cannot be told."""
    code, seen = frame.f_code, frame.f_locals
    for each in gc.get_referrers(code):
        if isinstance(each, types.FunctionType) and each.__code__ is code:
            cells = zip(code.co_freevars, each.__closure__ or (), strict=True)
            try:
                if all(seen.get(name) is cell.cell_contents for name, cell in cells):
                    return each
            except ValueError:
                continue
    return None
