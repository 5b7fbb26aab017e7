"""A pytest plugin that notes which tests there are, which of them ran, and how they ended."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from .stage import settings
from .workspace_files import ROOT


class Recorder:
    """The notes on one pytest session, and the verdict over it."""

    def __init__(self, tests: Sequence[str] | None = None, stop: bool = False) -> None:
        self.tests = tests
        self.stop = stop
        self.collected: list[str] = []
        self.files: dict[str, str] = {}
        self.errors: list[str] = []
        self.outcomes: dict[str, str] = {}
        self.seconds: dict[str, float] = {}
        self.fingerprints: dict[str, str] = {}
        self.stopped = False
        self.session: Any = None
        self.config: Any = None

    def pytest_sessionstart(self, session: Any) -> None:
        """Keep what the verdict needs."""
        self.session = session
        self.config = session.config

    def pytest_collectreport(self, report: Any) -> None:
        """Note files that cannot be collected."""
        if report.failed:
            self.errors.append(report.nodeid)

    def note_collected(self, items: Sequence[Any]) -> None:
        """Note all tests, with their files."""
        self.collected = [item.nodeid for item in items]
        for item in items:
            path = Path(str(getattr(item, "path", None) or item.fspath)).resolve()
            self.files[item.nodeid] = os.path.relpath(path, ROOT)

    def forget(self) -> None:
        """Begin anew with the same session."""
        self.outcomes, self.seconds, self.fingerprints = {}, {}, {}
        self.stopped = False

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Note an outcome; a failure in any phase counts."""
        name = report.nodeid
        self.seconds[name] = self.seconds.get(name, 0.0) + report.duration
        before = self.outcomes.get(name)
        if report.failed:
            self.outcomes[name] = "failed"
        elif report.skipped:
            self.outcomes[name] = before if before == "failed" else "skipped"
        elif report.when == "call" and before != "failed":
            self.outcomes[name] = "passed"
        if self.stop and not self.good(name):
            self.stopped = True

    def good(self, name: str) -> bool:
        """Whether a test that ran ended as it must."""
        outcome = self.outcomes.get(name)
        if outcome is None or name in settings["ignored"]:
            return True
        if outcome == "skipped":
            return name in settings["skipped"] and name not in settings["required"]
        return outcome == "passed"

    def answer(self, wanted: Sequence[str]) -> dict[str, Any]:
        """The verdict over the wanted tests; those that did not run have failed."""
        failed = [name for name in self.outcomes if not self.good(name)]
        missing = [] if failed and self.stop else [n for n in wanted if n not in self.outcomes]
        red = failed or missing or self.errors or not wanted
        return {
            "verdict": "fail" if red else "pass",
            "failed": failed or self.errors or missing,
            "passed": [name for name in wanted if self.outcomes.get(name) == "passed"],
        }


class SelectingRecorder(Recorder):
    """A recorder that lets only the wanted tests run, in the wanted order."""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        """Select after every other plugin has had its say."""
        self.note_collected(items)
        if self.tests is not None:
            items[:] = selected(items, self.tests)

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: Any) -> None:
        """Let pytest go no further than it must."""
        super().pytest_runtest_logreport(report)
        if self.stopped:
            self.session.shouldstop = "a test failed"


def selected(items: Sequence[Any], tests: Sequence[str]) -> list[Any]:
    """The collected items of some tests, in the tests' order."""
    by_name: dict[str, Any] = {}
    for item in items:
        by_name.setdefault(item.nodeid, item)
    return [by_name[name] for name in tests if name in by_name]
