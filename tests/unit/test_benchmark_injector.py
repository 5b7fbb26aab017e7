"""The healing benchmark's injector: bugs that compile, differ, stay small and repeat by seed."""

import ast

import pytest

from benchmarks.healing_corpus.injector import in_order, is_change, mutations
from benchmarks.healing_corpus.mutation import TIERS, Mutation
from benchmarks.healing_corpus.packages import PACKAGES

SOURCE = b'''"""A module with room for every kind of bug, with an \xc3\xa4 in it."""
import re

LIMIT = 10


class Basket:
    """Holds items."""

    def __init__(self, items=None, strict=True):
        self.items = items or []
        self.strict = strict

    def add(self, name, price, *, count=1):
        if name is None:
            raise ValueError("no name")
        key = name.strip().lower()
        for item in self.items:
            if item["key"] == key and item["price"] == price:
                item["count"] += count
                return item
        self.items.append({"key": key, "price": price, "count": count})
        return self.items[-1]

    def total(self, rate):
        result = 0
        for item in self.items:
            if item["count"] <= 0 or not item["price"]:
                continue
            result = result + item["price"] * item["count"]
        if self.strict and result > LIMIT:
            result = min(result, rate)
        return round(result / rate, 2), result

    async def send(self, target):
        try:
            await target.send(self.items[1:5])
        except (KeyError, ValueError):
            return None
        return re.match(r"a+", str(target)) if target else "\xc3\xa4"


def between(low, value, high):
    return low <= value + 1 < high
'''
EVERY_LINE = range(1, SOURCE.count(b"\n") + 1)
FOUND = mutations("basket.py", SOURCE, EVERY_LINE)
KINDS = sorted({(each.tier, each.pattern) for each in FOUND})


def _changed(pattern: str) -> set[str]:
    """The changed lines that a pattern leads to, where they compile."""
    lines = set()
    for mutation in FOUND:
        if mutation.pattern == pattern and is_change(SOURCE, mutation):
            lines.add(mutation.applied(SOURCE).splitlines()[mutation.line - 1].decode().strip())
    return lines


def test_every_tier_finds_bugs() -> None:
    assert {tier for tier, _ in KINDS} == set(TIERS)


@pytest.mark.parametrize(("tier", "pattern"), KINDS)
def test_what_is_offered_compiles_and_is_another_program(tier: str, pattern: str) -> None:
    sources = {"basket.py": SOURCE}
    chosen = [each for each in FOUND if each.pattern == pattern]
    for mutation in in_order(sources, chosen, tier, 1, "basket"):
        assert ast.dump(ast.parse(mutation.applied(SOURCE))) != ast.dump(ast.parse(SOURCE))


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        ("comparison", 'if item["count"] < 0 or not item["price"]:'),
        ("arithmetic", 'result = result - item["price"] * item["count"]'),
        ("swapped-arguments", "result = min(rate, result)"),
        ("lost-self", "strict = strict"),
        ("lost-await", "target.send(self.items[1:5])"),
        ("lost-clause", "if self.strict:"),
        ("and-or", "if self.strict or result > LIMIT:"),
        ("lost-not", 'if item["count"] <= 0 or item["price"]:'),
        ("lost-early-return", "pass"),
        ("slipped-out-of-block", 'result = result + item["price"] * item["count"]'),
        ("lost-normalisation", "key = name.strip()"),
        ("truth-for-none", "if not name:"),
        ("lost-offset", "return low <= value < high"),
        ("lost-bound", "return low <= value + 1"),
        ("division", "return round(result // rate, 2), result"),
        ("wrong-default", "def __init__(self, items=None, strict=False):"),
        ("lost-exception", "except KeyError:"),
        ("result-order", "return result, round(result / rate, 2)"),
        ("lost-accumulation", 'item["count"] = count'),
        ("wrong-end", "return self.items[0]"),
        ("lost-guard", "pass"),
        ("wrong-key", 'if item["price"] == key and item["price"] == price:'),
        ("regular-expression", 'return re.match(r"a*", str(target)) if target else "ä"'),
    ],
)
def test_a_pattern_makes_the_bug_that_it_is_named_after(pattern: str, line: str) -> None:
    assert line in _changed(pattern)


def test_a_bug_is_one_line_and_a_lost_guard_at_most_two() -> None:
    for mutation in FOUND:
        lines = SOURCE[mutation.start : mutation.end].count(b"\n") + 1
        assert lines == 1 or (lines == 2 and mutation.pattern == "lost-guard")
        assert mutation.applied(SOURCE)[: mutation.start] == SOURCE[: mutation.start]


def test_only_executed_lines_get_bugs() -> None:
    last = EVERY_LINE[-1]
    assert {each.line for each in mutations("basket.py", SOURCE, [last])} == {last}
    assert mutations("basket.py", SOURCE, []) == []


def test_docstrings_and_annotations_get_none() -> None:
    source = b'def f(a: "int" = 1) -> "str":\n    "text"\n    return a\n'
    spans = {source[each.start : each.end] for each in mutations("f.py", source, [1, 2, 3])}
    assert spans
    assert not any(b"text" in span or b"int" in span or b"str" in span for span in spans)


def _names(seed: int, tier: str = "e") -> list[tuple[int, str]]:
    order = in_order({"basket.py": SOURCE}, FOUND, tier, seed, "basket")
    return [(each.start, each.replacement) for each in order]


def test_the_order_depends_on_the_seed_alone() -> None:
    assert _names(1) == _names(1)
    assert _names(1) != _names(2)


@pytest.mark.parametrize("tier", TIERS)
def test_no_line_is_used_twice_in_a_tier(tier: str) -> None:
    order = list(in_order({"basket.py": SOURCE}, FOUND, tier, 3, "basket"))
    assert order
    assert len({each.line for each in order}) == len(order)
    assert {each.tier for each in order} == {tier}


def test_patterns_take_turns() -> None:
    order = list(in_order({"basket.py": SOURCE}, FOUND, "a", 1, "basket"))
    first = [each.pattern for each in order[:3]]
    assert len(set(first)) == len(first)


def test_what_does_not_compile_is_no_bug() -> None:
    broken = Mutation("f.py", 0, 1, "(", "a", "comparison", 1)
    assert not is_change(b"a = 1\n", broken)


def test_what_changes_only_the_layout_is_no_bug() -> None:
    same = Mutation("f.py", 4, 5, "(1)", "a", "number", 1)
    assert not is_change(b"a = 1\n", same)


def test_half_of_the_packages_are_held_out() -> None:
    parts = [package.part for package in PACKAGES]
    assert parts.count("development") == parts.count("held-out") >= 4
