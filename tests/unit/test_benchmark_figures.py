import pytest

from benchmarks.figures import Figures, Round, table
from benchmarks.regreen_run import RegreenRun
from benchmarks.shell_run import ShellRun


def _round(shell: float, sequential: float, overlapped: float) -> Round:
    def regreen(seconds: float) -> RegreenRun:
        return RegreenRun(seconds, 0.5, 185, {"run_tests": 1.5}, 19, "bubblewrap")

    return Round(
        ShellRun(shell, {"unit": 0.5}),
        {"sequential": regreen(sequential), "overlapped": regreen(overlapped)},
    )


@pytest.fixture
def figures() -> Figures:
    # The second round fell into a busy minute that slowed every variant down.
    rounds = (_round(10, 11, 6), _round(30, 32, 20), _round(10, 10.5, 5))
    return Figures(rounds, {"server": 300.0}, (1.0, 6.5, 2.0))


def test_ratios_compare_runs_of_the_same_round(figures: Figures) -> None:
    assert figures.sequential_ratio == pytest.approx(32 / 30)
    overlapped = figures.document()["variants"]["overlapped"]
    assert overlapped["ratios"] == [0.6, 0.667, 0.5]
    assert overlapped["ratio"] == 0.6
    assert overlapped["ratio_of_fastest"] == 0.5


def test_the_table_names_ratio_spread_and_load(figures: Figures) -> None:
    text = table(figures.document())
    assert "10.00 (10.00 to 30.00)" in text
    assert "x1.07 of shell" in text
    assert "load average 1.0 to 6.5" in text
