"""Localisation, and the choice among patches with which the tests pass."""

from dataclasses import replace

import pytest

from activities.healing.search.candidate import Candidate, Replacement
from activities.healing.search.combination import combined
from activities.healing.search.localisation import is_source_path, suspicion
from activities.healing.search.patch_choice import Plausible, best_of
from activities.healing.search.phrases import familiarity, phrases_of
from activities.healing.search.source_text import SourceText, read_source
from regreen.contracts.testing import Frame, TestFailure

TEXT = b"def f(log, a, b):\n    log.write(a)\n    return a + b\n"


def source() -> SourceText:
    found = read_source("shop.py", TEXT)
    assert found is not None
    return found


def candidate(
    of: SourceText, old: str, new: str, *, cost: float = 0.0, removes: bool = False
) -> Candidate:
    start = of.text.index(old)
    unit = of.unit_of(of.tree.body[0].body[0])  # type: ignore[attr-defined]
    change = Replacement(start, start + len(old), new)
    return Candidate(of, (change,), cost, of.line_of(start), f"{old} to {new}", unit, removes)


def test_the_line_that_only_failing_tests_run_is_suspected_most() -> None:
    spectra = {"shop.py": {1: (0, 5, False), 2: (2, 5, False), 3: (2, 0, False), 4: (0, 3, False)}}
    scores = suspicion(spectra, 2, 3, [])["shop.py"]
    assert scores[3] == 1.0
    assert 0 < scores[2] < 1.0
    assert set(scores) == {2, 3}


def test_what_collecting_ran_was_run_for_all_tests() -> None:
    spectra = {"shop.py": {1: (0, 0, True), 2: (1, 0, True), 3: (0, 4, False)}}
    scores = suspicion(spectra, 1, 3, [])["shop.py"]
    assert scores == {1: 0.5, 2: 1.0}


def test_the_innermost_frame_of_the_source_adds_to_the_suspicion() -> None:
    frames = (
        Frame(path="tests/test_shop.py", line=9),
        Frame(path="shop.py", line=2),
        Frame(path="shop.py", line=3),
    )
    failure = TestFailure(node_id="t", phase="call", exception="E", message="", frames=frames)
    spectra = {"shop.py": dict.fromkeys((1, 2, 3), (1, 1, False))}
    scores = suspicion(spectra, 1, 3, [failure])["shop.py"]
    assert scores[3] > scores[2] > scores[1]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("shop.py", True),
        ("src/shop/prices.py", True),
        ("src/shop/contest.py", True),
        ("tests/shop.py", False),
        ("src/shop/test_prices.py", False),
        ("shop/prices_test.py", False),
        ("conftest.py", False),
        ("setup.py", False),
        (".venv/lib/shop.py", False),
        ("lib/site-packages/shop.py", False),
        ("../outside.py", False),
        ("shop.txt", False),
    ],
)
def test_faults_are_looked_for_in_the_source_alone(path: str, expected: bool) -> None:
    assert is_source_path(path) is expected


def test_a_patch_that_keeps_calls_wins_over_one_that_loses_them() -> None:
    of = source()
    losing = Plausible(1, (candidate(of, "log.write(a)", "log.write"),))
    keeping = Plausible(9, (candidate(of, "a + b", "a - b"),))
    assert best_of([losing, keeping]) is keeping


def test_the_smaller_of_two_equal_patches_wins() -> None:
    of = source()
    large = Plausible(1, (candidate(of, "a + b", "a + b + a + b + a - b - a"),))
    small = Plausible(2, (candidate(of, "+", "-"),))
    assert best_of([large, small]) is small


def test_an_operation_to_no_avail_loses_against_the_plain_value() -> None:
    of = source()
    idle = Plausible(1, (candidate(of, "a + b", "a * 1"),))
    plain = Plausible(2, (candidate(of, "a + b", "a", cost=0.3),))
    assert best_of([idle, plain]) == plain


def test_no_patch_is_better_than_one_that_takes_functionality_away() -> None:
    of = source()
    assert best_of([Plausible(1, (candidate(of, "log.write(a)", "pass", removes=True),))]) is None
    assert best_of([]) is None


def test_only_pairs_that_mend_everything_and_do_not_overlap_are_combined() -> None:
    of = source()
    first = candidate(of, "write", "print", cost=0.2)
    second = candidate(of, "a + b", "a - b", cost=0.1)
    overlapping = candidate(of, "+", "*")
    partial = [
        (frozenset({"x"}), True, first),
        (frozenset({"y"}), True, second),
        (frozenset({"y"}), True, overlapping),
        (frozenset({"x"}), True, candidate(of, "return", "yield")),
    ]
    made = list(combined(partial, frozenset({"x", "y"})))
    assert [len(pair) for pair in made] == [1] * len(made)
    descriptions = {pair[0].description for pair in made}
    assert "a + b to a - b and write to print" in descriptions
    assert not any("a - b" in text and "*" in text for text in descriptions)


def test_edits_that_mend_nothing_alone_are_combined_with_each_other() -> None:
    of = source()
    partial = [
        (frozenset[str](), True, candidate(of, "write", "print")),
        (frozenset[str](), False, candidate(of, "a + b", "a - b")),
        (frozenset({"x"}), True, candidate(of, "return", "yield")),
    ]
    made = list(combined(partial, frozenset({"x", "y"})))
    assert [pair[0].description for pair in made] == ["write to print and a + b to a - b"]


def test_what_the_repository_says_elsewhere_is_more_familiar() -> None:
    of = source()
    known = phrases_of(["x = a - b\n", "y = a - b\n", of.text])
    usual = familiarity(candidate(of, "a + b", "a - b"), known)
    assert usual > familiarity(candidate(of, "a + b", "a @ b"), known)


def test_of_equal_patches_the_one_that_changes_less_and_sounds_familiar_wins() -> None:
    of = source()
    first = Plausible(1, (candidate(of, "a + b", "a - b"),))
    second = Plausible(2, (candidate(of, "a + b", "a * b"),))
    assert best_of([first, second]) == first
    assert best_of([replace(first, changed=0.5), second]) == second
    assert best_of([first, replace(second, familiar=1.0)]).position == 2  # type: ignore[union-attr]
