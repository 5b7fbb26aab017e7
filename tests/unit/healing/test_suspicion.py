"""Who is to blame for a test that was green and fails while a patch is verified."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any, cast

import pytest

from activities.healing.suspicion import not_the_patchs_fault
from activities.test_bench import TestBench
from regreen.contracts.testing import TestFailure, TestReport


def _report(*red: str, **changes: Any) -> TestReport:
    failures = tuple(
        TestFailure(node_id=name, phase="call", exception="AssertionError", message="no")
        for name in red
    )
    known: dict[str, Any] = {
        "outcome": "failed" if red else "passed",
        "total": 9,
        "passed": 9 - len(red),
        "failed": len(red),
        "skipped": 0,
        "failures": failures,
        "seconds": 1,
    }
    return TestReport.model_validate(known | changes)


class Bench:
    """Answers runs of chosen tests and of the whole from two lists; the last answer stays."""

    def __init__(self, alone: Sequence[TestReport], whole: Sequence[TestReport] = ()) -> None:
        self._answers = {True: list(alone), False: list(whole)}
        self.asked: list[tuple[str, ...]] = []

    async def run(self, node_ids: Sequence[str], subject: str) -> TestReport:
        self.asked.append(tuple(node_ids))
        answers = self._answers[bool(node_ids)]
        return answers.pop(0) if len(answers) > 1 else answers[0]


async def _blamed(
    red: TestReport, patched: Bench, unpatched: Bench | None = None, *suspects: str
) -> list[str] | None:
    @contextlib.asynccontextmanager
    async def opened() -> AsyncIterator[TestBench]:
        assert unpatched is not None, "nothing had to be run on the unpatched source"
        yield cast("TestBench", unpatched)

    names = suspects or tuple(failure.node_id for failure in red.failures)
    return await not_the_patchs_fault(names, red, cast("TestBench", patched), opened(), "unit")


async def test_green_alone_and_green_in_the_whole_is_flaky() -> None:
    patched = Bench([_report()], [_report()])

    assert await _blamed(_report("a"), patched) == ["a"]
    assert patched.asked == [("a",), ()]


async def test_the_second_chance_counts_too() -> None:
    patched = Bench([_report("a"), _report("a"), _report()], [_report("a"), _report()])

    assert await _blamed(_report("a"), patched) == ["a"]


async def test_red_each_time_with_the_patch_and_never_without_is_the_patchs_fault() -> None:
    patched, unpatched = Bench([_report("a")]), Bench([_report()])

    assert await _blamed(_report("a"), patched, unpatched) is None
    assert patched.asked == [("a",)] * 3
    assert unpatched.asked == [("a",)] * 5


async def test_red_beside_the_others_each_time_is_the_patchs_fault() -> None:
    patched, unpatched = Bench([_report()], [_report("a")]), Bench([_report()])

    assert await _blamed(_report("a"), patched, unpatched) is None


async def test_of_two_minds_without_the_patch_is_flaky() -> None:
    patched, unpatched = Bench([_report("a")]), Bench([_report(), _report(), _report("a")])

    assert await _blamed(_report("a"), patched, unpatched) == ["a"]
    assert len(unpatched.asked) == 3


async def test_always_red_alone_without_the_patch_says_nothing() -> None:
    # It needs what other tests leave behind, so that alone it is no witness.
    patched, unpatched = Bench([_report("a")]), Bench([_report("a")])

    assert await _blamed(_report("a"), patched, unpatched) is None


async def test_one_culprit_among_flaky_ones_is_enough() -> None:
    patched = Bench([_report("b")], [_report("b")])
    unpatched = Bench([_report()])

    assert await _blamed(_report("a", "b"), patched, unpatched) is None


@pytest.mark.parametrize(
    "red",
    [
        _report(*"abcdef"),
        _report("a", failed=60),
        _report("a", finished=False),
    ],
)
async def test_what_is_too_much_is_not_looked_into(red: TestReport) -> None:
    patched = Bench([_report()], [_report()])

    assert await _blamed(red, patched) is None
    assert patched.asked == []


async def test_a_run_that_does_not_end_excuses_nobody() -> None:
    broken = _report(finished=False)

    assert await _blamed(_report("a"), Bench([broken], [broken]), Bench([broken])) is None
