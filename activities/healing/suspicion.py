"""Tests that were green and fail while a patch is verified: the patch's fault, or their own?"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

from activities.healing.rerun import passed_of
from activities.test_bench import TestBench
from regreen.contracts.testing import TestReport

_MOST_SUSPECTS = 5
_RUNS_ALONE = 3
_RUNS_OF_THE_WHOLE = 2
_RUNS_UNPATCHED = 5


async def not_the_patchs_fault(
    suspects: Sequence[str],
    red: TestReport,
    patched: TestBench,
    unpatched: AbstractAsyncContextManager[TestBench],
    subject: str,
) -> list[str] | None:
    """The suspects, when all of them are flaky by themselves; None when the patch is to blame.

    A test is flaky when, on the patched tree, it passes alone and in a repeated run of the whole,
    or when it both passes and fails on the unpatched source. `red` is the run in which they failed.
    """
    if len(suspects) > _MOST_SUSPECTS or red.failed > len(red.failures) or not red.finished:
        return None
    left = set(suspects) - await _green_again(suspects, patched, subject)
    if left:
        async with unpatched as bench:
            left -= await _of_two_minds(sorted(left), bench, subject)
    return None if left else list(suspects)


async def _green_again(suspects: Sequence[str], bench: TestBench, subject: str) -> set[str]:
    alone: set[str] = set()
    for number in range(1, _RUNS_ALONE + 1):
        left = [node_id for node_id in suspects if node_id not in alone]
        if left:
            what = f"{subject}: {len(left)} suspects alone, run {number} of {_RUNS_ALONE}"
            alone |= set(passed_of(await bench.run(left, what), left))
    together: set[str] = set()
    for number in range(1, _RUNS_OF_THE_WHOLE + 1):
        if alone - together:
            again = await bench.run((), f"{subject}, again {number} of {_RUNS_OF_THE_WHOLE}")
            red = {failure.node_id for failure in again.failures}
            if again.finished and again.outcome in ("passed", "failed"):
                together |= alone - red
    return alone & together


async def _of_two_minds(suspects: Sequence[str], bench: TestBench, subject: str) -> set[str]:
    green: set[str] = set()
    red: set[str] = set()
    for number in range(1, _RUNS_UNPATCHED + 1):
        left = [node_id for node_id in suspects if node_id not in green & red]
        if left:
            what = f"{subject}: {len(left)} suspects unpatched, run {number} of {_RUNS_UNPATCHED}"
            report = await bench.run(left, what)
            passed = passed_of(report, left)
            green |= set(passed)
            red |= {failure.node_id for failure in report.failures}
    return green & red
