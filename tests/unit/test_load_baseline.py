"""When a load result is worse than noise explains."""

import pytest

from activities.load_baseline import LoadFigures, regressions


def figures(p95: float, throughput: float = 100.0) -> LoadFigures:
    return LoadFigures(p95_ms=p95, throughput=throughput)


ACCEPTED = [figures(40), figures(41), figures(42)]


@pytest.mark.parametrize("p95", [1.0, 40.0, 53.0])
def test_within_the_noise_band_nothing_is_worse(p95: float) -> None:
    assert regressions(figures(p95), ACCEPTED, 0.3) == []


def test_beyond_the_band_it_is_named_with_both_figures() -> None:
    assert regressions(figures(82), ACCEPTED, 0.3) == [
        "p(95) 82 ms, accepted 41 ms: 2.0 times, more than the noise of 30%"
    ]
    assert regressions(figures(40, 60), ACCEPTED, 0.3) == [
        "60.0 requests a second, accepted 100.0: 60%, more than the noise of 30%"
    ]


def test_what_the_accepted_runs_differ_by_is_noise() -> None:
    wide = [figures(20), figures(40), figures(60)]

    assert regressions(figures(75), wide, 0.3) == []
    assert regressions(figures(85), wide, 0.3) != []


def test_a_few_milliseconds_are_no_regression() -> None:
    assert regressions(figures(4), [figures(1)], 0.3) == []


def test_the_first_run_is_compared_with_nothing() -> None:
    assert regressions(figures(4000), [], 0.3) == []
