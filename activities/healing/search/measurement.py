"""The stage run once under coverage: which tests there are, how they end, what they run."""

import math
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

from activities.healing.search.candidate_server import CandidateServer
from activities.healing.search.localisation import Spectra
from activities.healing.search.request import SearchRequest

_MOST_DEADLY_TESTS = 5
_HUNG_TEST_COUNTS = 5.0
"""How many times the median of the passing tests a hanging test is taken to need once it works."""
_PROBE_SECONDS = 0.03
_LEAST_CPU_SECONDS = 1.0
_LEAST_CPU_SECONDS_IN_A_LOOP = 0.25


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
    runners: Mapping[str, Mapping[int, tuple[str, ...]]]
    """By file and line: the passing tests that ran it; for lines that a failing test ran."""
    leaving: frozenset[str]
    """The failing tests that start other processes, which see what lies on disk."""
    wall: float
    each: float
    settings: dict[str, Any] = field(default_factory=dict)
    """What all servers are told."""
    by_name: bool = False
    """Whether pytest finds the failing tests by their names alone."""

    def limit(self, tests: tuple[str, ...]) -> float:
        """Seconds that a candidate may take for some tests, from what they took unpatched."""
        return max(2.0, 5 * self.expected(tests)) + 0.5

    def cpu_limit(self, tests: tuple[str, ...]) -> int:
        """Seconds of CPU time for the same: ends endless loops sooner, however busy the machine."""
        return max(1, math.ceil(self.cpu_seconds(tests)))

    def cpu_seconds(self, tests: tuple[str, ...]) -> float:
        """The same, to the fraction of a second.

        A test that fails at once may need longer once it passes. Where it hangs unpatched, most
        candidates hang, too, and are not waited for so long.
        """
        hanging = any(self.hangs(test) for test in tests)
        least = _LEAST_CPU_SECONDS_IN_A_LOOP if hanging else _LEAST_CPU_SECONDS
        return max(least, 5 * self.expected(tests))

    def expected(self, tests: tuple[str, ...]) -> float:
        """Seconds that some tests are taken to need once they pass."""
        return sum(
            self.usual if self.hangs(test) else self.seconds.get(test, 0.0) for test in tests
        )

    def hangs(self, test: str) -> bool:
        """Whether an unpatched test did not end by itself."""
        return self.seconds.get(test, 0.0) >= 0.95 * self.each

    @cached_property
    def probe(self) -> tuple[str, ...]:
        """The quickest of the failing tests: enough to see that most candidates mend nothing."""
        quickest = sorted(self.failing, key=lambda test: (self.expected((test,)), test))
        most = max(1, sum(self.expected(tuple(quickest[:n])) <= _PROBE_SECONDS for n in (1, 2, 3)))
        return tuple(quickest[:most])

    @cached_property
    def usual(self) -> float:
        """Seconds that a test takes which nothing is known of, from those that pass."""
        passing = [self.seconds[test] for test in self.others if test in self.seconds]
        return max(0.01, _HUNG_TEST_COUNTS * (statistics.median(passing) if passing else 0.0))

    def touched_by(self, path: str, first: int, last: int) -> tuple[str, ...]:
        """The passing tests that an edit of these lines can turn red, the quickest first.

        All of them where a failing test ran none of the lines, so that it is not known.
        """
        lines = self.runners.get(path, {})
        inside = [tests for line, tests in lines.items() if first <= line <= last]
        found = {test for tests in inside for test in tests} if inside else set(self.others)
        kept = [test for test in self.others if test in found]
        return tuple(sorted(kept, key=lambda test: self.seconds.get(test, 0.0)))

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
        runners={
            PurePosixPath(path).as_posix(): {
                int(line): tuple(answer["collected"][place] for place in places)
                for line, places in lines.items()
            }
            for path, lines in answer["runners"].items()
        },
        leaving=frozenset(answer["leaving"]) & frozenset(failing),
        wall=wall,
        each=each,
        settings=settings,
    )
