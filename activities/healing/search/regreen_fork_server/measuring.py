"""Running the whole stage once under coverage, with a context for each test."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from .channel import Channel
from .processes import end_child, end_strays, host_gone, start_child
from .recorder import SelectingRecorder
from .stage import pytest_arguments, settings
from .workspace_files import ROOT

_LEAVING = ("subprocess.Popen", "os.posix_spawn", "os.exec", "os.system", "os.fork")


class _TookTooLong(Exception):
    """Raised in a test that is to pass and has used up its time."""


class _Measuring(SelectingRecorder):
    """Switches the coverage context with the test and bounds the time of failing tests."""

    def __init__(self, channel: Channel, coverage: Any, each: float, without: list[str]) -> None:
        super().__init__()
        self.channel = channel
        self.coverage = coverage
        self.each = each
        self.without = without
        self.running = ""
        self.leaving: set[str] = set()
        sys.addaudithook(self._note_leaving)

    def _note_leaving(self, event: str, _: object) -> None:
        if event in _LEAVING and self.running:
            self.leaving.add(self.running)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        """Leave out the tests that ended an earlier measurement."""
        self.note_collected(items)
        items[:] = [item for item in items if item.nodeid not in self.without]

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: Any) -> Generator[None, None, None]:
        """Tell which test runs, in case it is the last thing to be heard."""
        self.channel.send({"running": item.nodeid})
        self.running = item.nodeid
        if self.coverage is not None:
            self.coverage.switch_context(item.nodeid)
        if item.nodeid in settings["required"]:
            signal.signal(signal.SIGALRM, _too_long)
            signal.setitimer(signal.ITIMER_REAL, self.each)
        yield
        signal.setitimer(signal.ITIMER_REAL, 0)
        self.running = ""
        if self.coverage is not None:
            self.coverage.switch_context("")


def _too_long(*_: object) -> None:
    raise _TookTooLong


def measure(request: dict[str, Any]) -> dict[str, Any]:
    """Run the stage and return tests, outcomes, seconds, and for each line the tests that ran it.

    `limit` bounds all of it, `each` a required test, in seconds; the tests in `without` are left
    out. When the child dies or takes too long, the answer names the test that was running.
    """

    def body(channel: Channel) -> None:
        coverage = _coverage()
        recorder = _Measuring(channel, coverage, request["each"], request["without"])
        if coverage is not None:
            coverage.start()
        arguments = [*pytest_arguments(settings["paths"]), "--continue-on-collection-errors"]
        pytest.main(arguments, plugins=[recorder])
        if coverage is not None:
            coverage.stop()
        channel.send(_measured(recorder, coverage))

    pid, channel = start_child(body)
    deadline = time.monotonic() + request["limit"]
    running = ""
    while True:
        answer = channel.receive(deadline, host_gone)
        if answer is None or "verdict" in answer:
            break
        running = answer["running"]
    late = time.monotonic() > deadline
    end_child(pid)
    channel.close()
    end_strays()
    if answer is None:
        return {"verdict": "timeout" if late else "crash", "running": running}
    return answer


def _coverage() -> Any:
    os.environ["COVERAGE_CORE"] = "ctrace"  # the newer core knows no contexts
    if importlib.util.find_spec("coverage") is None:
        return None
    module = importlib.import_module("coverage")
    return module.Coverage(data_file=None, config_file=False, include=[f"{ROOT}/*"], messages=False)


def _measured(recorder: _Measuring, coverage: Any) -> dict[str, Any]:
    config = recorder.config
    root, ini = "", ""
    if config is not None:
        root = str(getattr(config, "rootpath", None) or config.rootdir)
        ini = str(getattr(config, "inipath", None) or getattr(config, "inifile", None) or "")
    return {
        "verdict": "measured",
        "collected": recorder.collected,
        "files": recorder.files,
        "errors": recorder.errors,
        "outcomes": recorder.outcomes,
        "seconds": recorder.seconds,
        "rootdir": root,
        "inifile": ini,
        "leaving": sorted(recorder.leaving),
        **_spectra(coverage, recorder),
    }


def _spectra(coverage: Any, recorder: _Measuring) -> dict[str, Any]:
    """By file and line: failing tests, passing tests, and whether collecting ran it.

    `runners` names the passing tests of the lines that a failing test ran, as places among the
    collected ones.
    """
    lines: dict[str, dict[int, list[int]]] = {}
    runners: dict[str, dict[int, list[int]]] = {}
    outcomes = recorder.outcomes
    places = {name: place for place, name in enumerate(recorder.collected)}
    if coverage is None:
        return {"lines": lines, "runners": runners}
    data = coverage.get_data()
    for path in data.measured_files():
        name = os.path.relpath(Path(path).resolve(), ROOT)
        lines[name], runners[name] = {}, {}
        for line, contexts in data.contexts_by_lineno(path).items():
            ends = [outcomes.get(context) for context in contexts if context]
            failed = ends.count("failed")
            lines[name][line] = [failed, ends.count("passed"), int("" in contexts)]
            if failed:
                passing = [places[one] for one in contexts if outcomes.get(one) == "passed"]
                runners[name][line] = sorted(passing)
    return {"lines": lines, "runners": runners}
