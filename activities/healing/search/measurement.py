"""The stage run once under coverage: which tests there are, how they end, what they run."""

import math
import time
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from activities.healing.search.candidate_server import CandidateServer
from activities.healing.search.localisation import Spectra
from activities.healing.search.request import SearchRequest

_MOST_DEADLY_TESTS = 5
_HUNG_TEST_COUNTS = 1.0
"""Seconds that a hanging test is taken to need once it works."""


@dataclass(frozen=True)
class Measurement:
    """What one run of the unpatched stage showed."""

    failing: tuple[str, ...]
    """The requested tests that failed now too."""
    others: tuple[str, ...]
    """Every other test, in the order of collection, that a patch must keep as it is."""
    uncollected: tuple[str, ...]
    """Files that could not be collected."""
    files: dict[str, str]
    """By test: its file."""
    seconds: dict[str, float]
    spectra: Spectra
    wall: float
    each: float
    settings: dict[str, Any] = field(default_factory=dict)
    """What all servers are told."""

    def limit(self, tests: tuple[str, ...]) -> float:
        """Seconds that a candidate may take for some tests, from what they took unpatched."""
        return max(2.0, 5 * self._expected(tests)) + 0.5

    def cpu_limit(self, tests: tuple[str, ...]) -> int:
        """Seconds of CPU time for the same: ends endless loops sooner, however busy the machine."""
        return max(1, math.ceil(5 * self._expected(tests)))

    def _expected(self, tests: tuple[str, ...]) -> float:
        total = 0.0
        for test in tests:
            took = self.seconds.get(test, 0.0)
            total += _HUNG_TEST_COUNTS if took >= 0.95 * self.each else took
        return total

    def cold_limit(self) -> float:
        """The same for a run of pytest from the start."""
        hung = sum(self.each for took in self.seconds.values() if took >= 0.95 * self.each)
        return max(10.0, 5 * (self.wall - hung))


async def measure(server: CandidateServer, request: SearchRequest) -> Measurement | str:
    """Run the stage once; why that is not possible, in words, where it is not."""
    settings: dict[str, Any] = {
        "arguments": list(request.arguments),
        "paths": list(request.paths),
        "required": list(request.failing),
        "skipped": [],
        "ignored": list(request.flaky),
    }
    await server.ask({"request": "settings", "settings": settings}, 60)
    limit = max(5.0, request.seconds / 2)
    each = max(2.0, min(15.0, request.seconds / 6))
    deadly: list[str] = []
    while True:
        started = time.monotonic()
        answer = await server.ask(
            {"request": "measure", "limit": limit, "each": each, "without": deadly}, limit + 30
        )
        wall = time.monotonic() - started
        if answer["verdict"] == "measured":
            break
        running = str(answer.get("running", ""))
        if not running or len(deadly) >= _MOST_DEADLY_TESTS:
            return f"the stage's tests could not be measured: pytest ended in a {answer['verdict']}"
        deadly.append(running)
    outcomes: dict[str, str] = answer["outcomes"]
    ignored = frozenset(request.flaky) | (frozenset(deadly) - frozenset(request.failing))
    failing = tuple(
        test for test in request.failing if outcomes.get(test) == "failed" or test in deadly
    )
    failing += tuple(
        test
        for test, outcome in outcomes.items()
        if outcome == "failed" and test not in failing and test not in ignored
    )
    if not failing and not answer["errors"]:
        return "the failing tests passed when they were run again on the unpatched source"
    left_out = {*failing, *ignored}
    skipped = frozenset(test for test, outcome in outcomes.items() if outcome == "skipped")
    settings |= {
        "required": list(failing),
        "skipped": sorted(skipped),
        "ignored": sorted(ignored),
        "rootdir": answer["rootdir"],
        "inifile": answer["inifile"],
    }
    return Measurement(
        failing=failing,
        others=tuple(test for test in answer["collected"] if test not in left_out),
        uncollected=tuple(answer["errors"]),
        files=answer["files"],
        seconds=answer["seconds"],
        spectra={
            PurePosixPath(path).as_posix(): {
                int(line): (counts[0], counts[1], bool(counts[2])) for line, counts in lines.items()
            }
            for path, lines in answer["lines"].items()
        },
        wall=wall,
        each=each,
        settings=settings,
    )
