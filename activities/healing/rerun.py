"""Running failing tests again, to tell what fails each time from what does not."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from activities.test_bench import TestBench
from regreen.contracts.testing import TestReport

_MOST_RUNS = 5
# Slow tests are run less often: no further run after so many seconds.
_SECONDS_FOR_ONE = 120.0
_SECONDS_FOR_MORE = 20.0


@dataclass
class Reruns:
    """How tests did when they were run without the rest of their stage."""

    runs: int = 0
    passed_in: dict[str, int] = field(default_factory=dict)
    """The number of the run in which a test passed for the first time."""


async def rerun_alone(bench: TestBench, node_ids: Sequence[str], stage: str) -> Reruns:
    """Run tests alone until each has passed once, five times at most."""
    alone = Reruns()
    started = time.monotonic()
    while left := [node_id for node_id in node_ids if node_id not in alone.passed_in]:
        spent = time.monotonic() - started
        enough = _SECONDS_FOR_ONE if alone.runs == 1 else _SECONDS_FOR_MORE
        if alone.runs == _MOST_RUNS or (alone.runs and spent > enough):
            break
        number = alone.runs + 1
        report = await bench.run(
            left, f"{stage}: {len(left)} failing alone, run {number} of {_MOST_RUNS}"
        )
        alone.runs = number
        alone.passed_in |= dict.fromkeys(passed_of(report, left), number)
    return alone


def passed_of(report: TestReport, node_ids: Sequence[str]) -> list[str]:
    """Those of the tests that ran and passed; none where the report cannot tell."""
    if report.outcome not in ("passed", "failed") or not report.finished or report.skipped:
        return []
    red = {failure.node_id for failure in report.failures}
    return [node_id for node_id in node_ids if node_id not in red]


async def always_pass_alone(
    bench: TestBench, node_ids: Sequence[str], runs: int, stage: str
) -> tuple[str, ...]:
    """Those of the tests that pass in each of some more runs."""
    left = tuple(node_ids)
    for number in range(1, runs + 1):
        if left:
            report = await bench.run(left, f"{stage}: alone once more, {number} of {runs}")
            left = tuple(passed_of(report, left))
    return left
