"""The real command line in processes of its own, watched and killed from outside."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from activities.process import die_with_parent

PROJECT = Path(__file__).parents[2]
TIMEOUT = 180.0

# What would lead the program to another server, another model or the user's own folders.
_LEFT_OUT = ("OPENAI_", "REGREEN_", "TEMPORAL_", "XDG_", "GIT_", "PYTEST_")


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it printed."""

    code: int
    output: str
    errors: str

    @property
    def document(self) -> Any:
        """The JSON document on standard output."""
        return json.loads(self.output)


@dataclass(frozen=True)
class Started:
    """A command that runs."""

    process: subprocess.Popen[bytes]
    output: Path
    errors: Path

    def said(self) -> str:
        """What it has printed to standard error so far."""
        return self.errors.read_text("utf-8", "replace")

    def wait(self, timeout: float = TIMEOUT) -> Ended:
        """Wait for its end; a command that does not end fails the test."""
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            kill_tree(self.process.pid)
            pytest.fail(f"no end after {timeout:g} s; it said:\n{self.said()}")
        return Ended(code, self.output.read_text("utf-8", "replace"), self.said())

    def wait_until_it_says(self, text: str, timeout: float = TIMEOUT, times: int = 1) -> None:
        """Wait for a line on standard error, said `times`; the command must not end before."""
        wait_until(
            lambda: self.said().count(text) >= times or self.process.poll() is not None,
            f"{text!r}, it said:\n{self.said()}",
            timeout,
        )
        if self.said().count(text) < times:
            pytest.fail(f"ended with {self.process.returncode} before {text!r}:\n{self.said()}")

    def kill(self) -> None:
        """SIGKILL the process alone; its children are left to themselves."""
        self.process.kill()
        self.process.wait(30)


@dataclass(frozen=True)
class Program:
    """The program with a state folder and a home of its own."""

    folder: Path
    """For what it prints, and its home."""
    state: Path
    variables: Mapping[str, str]

    def run(self, *arguments: str | Path, timeout: float = TIMEOUT) -> Ended:
        """Run a command to its end."""
        with self.start(*arguments) as started:
            return started.wait(timeout)

    @contextlib.contextmanager
    def start(self, *arguments: str | Path) -> Iterator[Started]:
        """Start a command in a session of its own; what is left of it ends with the block."""
        words = [str(argument) for argument in arguments]
        stateless = words[0] in ("verify", "schema", "tools", "init") or "--state" in words
        state = [] if stateless else ["--state", str(self.state)]
        number = len(list(self.folder.glob("*.out")))
        output, errors = self.folder / f"{number}.out", self.folder / f"{number}.err"
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(_LEFT_OUT)}
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        with output.open("wb") as out, errors.open("wb") as err:
            process = subprocess.Popen(
                # Killed tests would leave it running otherwise.
                [*die_with_parent(), sys.executable, "-m", "regreen", *words, *state],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=self.folder,
                env={
                    **inherited,
                    "HOME": str(home),
                    "PYTHONPATH": str(PROJECT),
                    **self.variables,
                },
                start_new_session=True,
            )
        try:
            yield Started(process, output, errors)
        finally:
            kill_tree(process.pid)
            process.wait(30)


def tree_of(pid: int) -> list[psutil.Process]:
    """A process and all that descend from it; empty when it is gone."""
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def kill_tree(pid: int) -> list[psutil.Process]:
    """SIGKILL a process and all that descend from it, as a power cut would; returns them."""
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(pid).suspend()
    processes = tree_of(pid)
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    return processes


def wait_until_gone(processes: list[psutil.Process]) -> None:
    """Wait until none of these processes is alive; one that stays fails the test."""

    def alive() -> list[psutil.Process]:
        return [process for process in processes if _is_alive(process)]

    wait_until(lambda: not alive(), f"the end of {[_described(each) for each in alive()]}", 30)


def wait_until(true: Callable[[], bool], what: str, timeout: float = TIMEOUT) -> None:
    """Poll until a condition holds; fails the test when it does not within `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not true():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {timeout:g} s for {what}")
        time.sleep(0.05)


def stage(document: Any, name: str) -> Any:
    """One stage of a run's JSON document."""
    return next(each for each in document["stages"] if each["name"] == name)


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _described(process: psutil.Process) -> str:
    try:
        return f"{process.pid}: {' '.join(process.cmdline())[:120]}"
    except psutil.NoSuchProcess:
        return f"{process.pid}: gone"
