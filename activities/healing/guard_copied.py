"""The guard's rule against answers that were copied from the failing test."""

import ast
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from activities.healing.guard_literals import canonical, is_empty, is_telling, plain_text
from activities.healing.guard_module import Finding, Module
from activities.healing.guard_operations import Unknown
from activities.healing.guard_results import Branch, Result, Routine, routines

_SMALL_TABLE = 3


@dataclass(frozen=True)
class _Comparison:
    """What a function is judged by."""

    old: Routine | None
    new: Routine
    expected: set[str]
    fresh: Counter[str]
    """Constants that the file did not hold before."""


def find_copied(before: Module | None, after: Module, expectations: Sequence[str]) -> list[Finding]:
    """Functions that answer with what the failing test expects, and do not work it out.

    A constant that takes the place of a constant is a corrected one, and so is an entry that a
    table was missing; what stands where something was computed is not.
    """
    expected = {plain_text(text) for text in expectations} - {""}
    if not expected:
        return []
    old = {} if before is None else routines(before)
    known = Counter[str]() if before is None else Counter(_constants(before))
    fresh = Counter(_constants(after)) - known
    found: list[Finding] = []
    for name, routine in routines(after).items():
        comparison = _Comparison(old.get(name), routine, expected, fresh)
        found += _constant_routine(comparison)
        found += _constant_results(comparison)
        found += _special_cases(comparison)
    unique = {(each.key, each.line): each for each in found}
    return list(unique.values())


def _constants(module: Module) -> Iterator[str]:
    inner: set[int] = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.expr) and id(node) not in inner:
            try:
                value = module.folding.value(node)
            except Unknown:
                continue
            inner |= {id(part) for part in ast.walk(node)}
            yield from _plain_values(value)


def _plain_values(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _plain_values(key)
            yield from _plain_values(each)
    elif isinstance(value, list | tuple | set | frozenset):
        for each in value:
            yield from _plain_values(each)
    else:
        yield canonical(value)


def _constant_routine(comparison: _Comparison) -> Iterator[Finding]:
    """A function that computed its answer and now says the same whatever it is given."""
    old, new = comparison.old, comparison.new
    if old is None or not new.parameters or not new.results or old.is_constant:
        return
    values = [value for result in new.results for value in result.values]
    copied = [value for value in values if value in comparison.expected]
    if new.is_constant and copied and not _same_shape(old, new):
        reason = f"returns {copied[0]!r:.60} whatever it is given, as the failing test expects"
        yield Finding("copied-literal", copied[0], new.results[0].line, reason)


def _same_shape(old: Routine, new: Routine) -> bool:
    return [each.values for each in old.results] == [each.values for each in new.results]


def _constant_results(comparison: _Comparison) -> Iterator[Finding]:
    old, new, expected = comparison.old, comparison.new, comparison.expected
    earlier = [] if old is None else old.results
    constants = [each for each in new.results if each.values]
    constants_before = [each for each in earlier if each.values]
    if len(constants) <= len(constants_before) and len(new.results) >= len(earlier):
        return
    for result in constants:
        told = [
            value
            for value in result.values
            if value in expected and is_telling(value) and comparison.fresh[value] > 0
        ]
        if told and not _is_allowed(result, comparison):
            reason = f"{told[0]!r:.60} comes from the failing test"
            yield Finding("copied-literal", told[0], result.line, reason)


def _is_allowed(result: Result, comparison: _Comparison) -> bool:
    """Whether an answer may be a constant: for an empty input, among other words, in a table."""
    old = comparison.old
    earlier = [] if old is None else [each for each in old.results if each.values]
    classifies = old is not None and len(earlier) >= 2 and len(earlier) == len(old.results)
    classifies |= len(earlier) >= 3
    if result.table is not None:
        if old is not None and old.tables.get(result.table.name):
            return True
        told = [key for key in result.table.keys if key in comparison.expected]
        replaces = old is not None and any(not each.values for each in old.results)
        return len(result.table.keys) >= _SMALL_TABLE > len(told) and not replaces
    return result.is_for_nothing or (classifies and not result.pinned)


def _special_cases(comparison: _Comparison) -> Iterator[Finding]:
    """Branches for exactly the input of the failing test, with an answer of their own."""
    old, new, expected = comparison.old, comparison.new, comparison.expected
    known: set[str] = set() if old is None else {each.shown for each in old.branches}
    siblings = set() if old is None else {each.subject for each in old.branches if _is_odd(each)}
    classifies = old is not None and len(old.results) > 1 and old.is_constant
    for branch in new.branches:
        pinned = [value for value in branch.inputs if value in expected and value]
        if branch.shown in known or not pinned or not branch.answers:
            continue
        if branch.subject and (branch.subject in siblings or classifies):
            continue
        telling = [value for value in pinned if is_telling(value)]
        answers = [value for value in branch.answers if value in expected]
        complete = bool(new.parameters) and new.parameters <= branch.parameters
        odd = any(not is_empty(value) for value in pinned)
        copied = any(is_telling(each) for each in answers) or (
            odd and any(not is_empty(each) for each in answers)
        )
        if (complete and odd and (telling or not all(map(is_empty, branch.answers)))) or copied:
            shown = (telling or pinned)[0]
            reason = f"answers the failing test's {shown!r:.60} with a constant"
            yield Finding("copied-literal", shown, branch.line, reason)


def _is_odd(branch: Branch) -> bool:
    """Whether a branch is more than a base case."""
    return not all(is_empty(value) for value in branch.inputs)
