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
        found += _stored_constants(comparison)
    found += _pairs(before, after, expected, fresh)
    unique = {(each.key, each.line): each for each in found}
    return list(unique.values())


def _constants(module: Module) -> Iterator[str]:
    """What is written down; a name for it counts only when it comes from another file."""
    inner: set[int] = set()
    for node in module.nodes:
        if isinstance(node, ast.expr) and id(node) not in inner:
            if isinstance(node, ast.Name | ast.Attribute) and not _is_elsewhere(node, module):
                continue
            try:
                value = module.folding.value(node)
            except Unknown:
                continue
            inner |= {id(part) for part in ast.walk(node)}
            yield from _plain_values(value)


def _is_elsewhere(node: ast.Name | ast.Attribute, module: Module) -> bool:
    root: ast.expr = node
    while isinstance(root, ast.Attribute):
        root = root.value
    return isinstance(root, ast.Name) and root.id in module.imports


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
        if not told and result.table is not None and expected.issuperset(result.table.keys):
            told = [value for value in result.values if value in expected and not is_empty(value)]
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
    if result.is_for_nothing:
        return True
    asked = [value for value in result.pinned if value in comparison.expected]
    siblings = old is not None and any(_is_odd(branch) for branch in old.branches)
    grades = any(
        each.is_graded and not all(map(is_empty, each.values)) and not each.is_for_nothing
        for each in earlier
    )
    if result.is_graded and grades and not asked:
        return True
    return classifies and (not asked or siblings)


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
        odd = any(not is_empty(value) for value in pinned) or pinned.count("2") > 1
        copied = any(is_telling(each) for each in answers) or (
            odd and any(not is_empty(each) for each in answers)
        )
        if (complete and odd and (telling or not all(map(is_empty, branch.answers)))) or copied:
            shown = (telling or pinned)[0]
            reason = f"answers the failing test's {shown!r:.60} with a constant"
            yield Finding("copied-literal", shown, branch.line, reason)


def _stored_constants(comparison: _Comparison) -> Iterator[Finding]:
    """Attributes that were computed and now hold what the failing test expects."""
    old = {} if comparison.old is None else comparison.old.stored
    for target, results in comparison.new.stored.items():
        was_computed = any(not each.values for each in old.get(target, []))
        for result in results if was_computed else ():
            told = [
                value
                for value in result.values
                if value in comparison.expected and comparison.fresh[value] > 0
            ]
            if told and all(each.values for each in results):
                reason = f"{target} holds {told[0]!r:.60}, which comes from the failing test"
                yield Finding("copied-literal", told[0], result.line, reason)


def _pairs(
    before: Module | None, after: Module, expected: set[str], fresh: Counter[str]
) -> Iterator[Finding]:
    """The failing test's input and its answer side by side, and sums that ask for the input."""
    tables = set() if before is None else {name for name, _ in _named_tables(before)}
    asked_before = before is not None and any(
        _asks_for_constant(node, before) for node in before.nodes
    )
    by_name = any(_looks_up_by_name(node, after) for node in after.nodes)
    grown = {id(value) for name, value in _named_tables(after) if name in tables}
    for node in after.nodes:
        pairs: list[tuple[ast.expr, ast.expr]] = []
        match node:
            case ast.Assign(targets=[ast.Subscript(slice=key)], value=value):
                pairs = [(key, value)]
            case ast.Dict() if id(node) not in grown and len(node.keys) < _SMALL_TABLE:
                pairs = [
                    (key, value)
                    for key, value in zip(node.keys, node.values, strict=True)
                    if key is not None
                ]
            case ast.Tuple(elts=[key, value]) if isinstance(node.ctx, ast.Load):
                pairs = [(key, value)] if _is_lonely(node, after) else []
            case ast.Assign(targets=[ast.Attribute(attr=name)], value=value) if by_name:
                pairs = [(ast.copy_location(ast.Constant(name), value), value)]
            case ast.Return(value=ast.BoolOp(values=parts)) if not asked_before:
                if not all(_asks_for_constant(part, after) for part in parts):
                    yield from _asked_in_a_sum(parts, after, expected, fresh)
            case ast.BinOp(left=left, right=right):
                yield from _asked_in_a_sum([left, right], after, expected, fresh)
        for key, value in pairs:
            asked, answer = _worth(key, after), _worth(value, after)
            told = [each for each in asked if is_telling(each) and each in expected]
            given = [each for each in answer if each in expected and not is_empty(each)]
            is_new = by_name or (bool(told) and fresh[told[0]] > 0)
            if told and given and is_new and fresh[given[0]] > 0:
                reason = f"answers the failing test's {told[0]!r:.60} with {given[0]!r:.60}"
                yield Finding("copied-literal", told[0], key.lineno, reason)


def _looks_up_by_name(node: ast.AST, module: Module) -> bool:
    return (
        isinstance(node, ast.Call)
        and module.origin(node.func) == "builtins.getattr"
        and len(node.args) > 1
        and module.folding.text(node.args[1]) is None
    )


def _asks_for_constant(node: ast.AST, module: Module) -> bool:
    return (
        isinstance(node, ast.Compare)
        and isinstance(node.ops[0], ast.Eq | ast.In)
        and any(is_telling(value) for value in _worth(node.comparators[0], module))
    )


def _named_tables(module: Module) -> Iterator[tuple[str, ast.expr]]:
    for node in module.nodes:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict) and node.value.keys:
            yield ast.unparse(node.targets[0]), node.value


def _is_lonely(node: ast.Tuple, module: Module) -> bool:
    """Whether a pair stands in a list or tuple of few."""
    return any(
        isinstance(each, ast.List | ast.Tuple | ast.Set)
        and len(each.elts) < _SMALL_TABLE
        and any(inner is node for inner in each.elts)
        for each in module.nodes
    )


def _asked_in_a_sum(
    parts: list[ast.expr], module: Module, expected: set[str], fresh: Counter[str]
) -> Iterator[Finding]:
    for part in parts:
        if isinstance(part, ast.Compare) and isinstance(part.ops[0], ast.Eq | ast.In):
            for side in (part.left, *part.comparators):
                for value in _worth(side, module):
                    if value in expected and is_telling(value) and fresh[value] > 0:
                        reason = f"adds something for the failing test's {value!r:.60} alone"
                        yield Finding("copied-literal", value, part.lineno, reason)


def _worth(node: ast.expr, module: Module) -> list[str]:
    try:
        return list(_plain_values(module.folding.value(node)))
    except Unknown:
        return []


def _is_odd(branch: Branch) -> bool:
    """Whether a branch is more than a base case."""
    return not all(is_empty(value) for value in branch.inputs)
