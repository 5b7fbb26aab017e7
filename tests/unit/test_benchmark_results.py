"""The healing benchmark's memory and its figures."""

import dataclasses
from pathlib import Path

from benchmarks.healing_corpus.report import document, markdown
from benchmarks.healing_corpus.results import Result, ResultStore

LIMITS = {"cases": 2, "seed": 1, "seconds": 120.0, "jobs": 1, "cores": 2, "engine": "abc"}
RIGHT = Result(
    key="1",
    case="toolz-1-001",
    package="toolz",
    part="development",
    tier="a",
    pattern="comparison",
    healed=True,
    reason="186 of 186 green",
    rounds=1,
    refused=(),
    candidates=300,
    seconds=20.0,
    searching=10.0,
    patch="--- a\n+++ b\n",
    correctness="identical",
)
WRONG = dataclasses.replace(
    RIGHT, key="2", case="toolz-1-002", tier="e", correctness="different", seconds=40.0
)
UNDECIDED = dataclasses.replace(RIGHT, key="3", case="toolz-1-003", correctness="undecided")
MISSED = dataclasses.replace(
    RIGHT, key="4", case="toolz-1-004", healed=False, patch="", correctness=None, seconds=120.0
)
HELD_OUT = dataclasses.replace(
    RIGHT, key="5", case="tinydb-1-001", package="tinydb", part="held-out", refused=("guard",)
)


def test_healed_and_correct_are_counted_apart() -> None:
    found = document([RIGHT, WRONG, UNDECIDED, MISSED], None, LIMITS, reveal=False)
    figures = found["parts"]["development"]["all"]
    assert (figures["cases"], figures["healed_percent"], figures["correct_percent"]) == (4, 75, 25)
    assert figures["candidates_per_second"] == 30
    assert (figures["seconds_median"], figures["seconds_p90"]) == (20, 40)
    assert found["parts"]["development"]["tiers"]["e"]["correct"] == 0
    assert found["parts"]["development"]["verdicts"]["not healed"] == 1


def test_the_report_shows_both_parts() -> None:
    text = markdown(document([RIGHT, HELD_OUT], None, LIMITS, reveal=False))
    assert "| development | 1 | 100 % | 100 % | 30 | 20 | 20 |" in text
    assert "| held-out | 1 |" in text
    assert "| tinydb | 1 |" in text


def test_held_out_cases_are_not_described_unless_asked() -> None:
    hidden, shown = (
        document([RIGHT, HELD_OUT], None, LIMITS, reveal=reveal) for reveal in (False, True)
    )
    assert "+++ b" in hidden["cases"][0]["patch"]
    assert hidden["cases"][1]["patch"] == hidden["cases"][1]["pattern"] == ""
    assert "patterns" not in hidden["parts"]["held-out"]
    assert shown["cases"][1]["patch"] == HELD_OUT.patch


def test_a_result_is_found_again_and_the_last_one_counts(tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    store = ResultStore(file)
    store.add(MISSED)
    store.add(dataclasses.replace(MISSED, healed=True))
    store.add(HELD_OUT)
    again = ResultStore(file)
    found = again.get("4")
    assert found is not None and found.healed
    assert again.get("5") == HELD_OUT
    assert again.get("6") is None
    assert [each.key for each in again.of_case("toolz-1-004")] == ["4"]
