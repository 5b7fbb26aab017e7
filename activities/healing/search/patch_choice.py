"""Which of several plausible patches to hand over, and when to hand over none."""

import ast
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from activities.healing.search.candidate import Candidate

_CHANGED_BEHAVIOUR = 1.5
_FAMILIAR = 0.2
_LOST_CALL = 1.0
_LOST_NAME = 0.3
_IDLE = 0.8
"""For an operation that changes nothing: `size * 1` where `size` does as well."""
_CHARACTERS_A_POINT = 40.0


@dataclass(frozen=True)
class Plausible:
    """A patch with which the whole stage passed."""

    position: int
    candidates: tuple[Candidate, ...]
    changed: float = 0.0
    """How much it changes of what passed before, from 0 to 1; 0 as long as nobody has looked."""
    familiar: float = 0.0
    """How much more usual its words are than those it replaces; 0 as long as nobody has looked."""

    @property
    def removes(self) -> bool:
        """Whether any part of it takes functionality away."""
        return any(candidate.removes for candidate in self.candidates)


def ranked(found: Sequence[Plausible]) -> list[Plausible]:
    """The patches that take no functionality away; the one that keeps most of the code first."""
    keeping = [one for one in found if not one.removes]
    return sorted(keeping, key=lambda one: (_weight(one), one.position))


def best_of(found: Sequence[Plausible]) -> Plausible | None:
    """The first of the ranked patches; None when all of them take functionality away."""
    return next(iter(ranked(found)), None)


def _weight(plausible: Plausible) -> float:
    compared = _CHANGED_BEHAVIOUR * plausible.changed - _FAMILIAR * plausible.familiar
    return compared + sum(
        candidate.cost + candidate.size() / _CHARACTERS_A_POINT + _loss(candidate)
        for candidate in plausible.candidates
    )


def _loss(candidate: Candidate) -> float:
    """What the patched function no longer calls and reads, and what it does to no avail."""
    unit, after = candidate.unit, candidate.patched_unit()
    if unit is None or after is None:
        return 0.0
    old = ast.parse(unit.text(candidate.source.text[unit.start : unit.end]))
    new = ast.parse(after)
    calls_before, names_before = _uses(old)
    calls_after, names_after = _uses(new)
    lost_calls = (calls_before - calls_after).total()
    lost_names = len(set(names_before) - set(names_after))
    idle = max(0, _idle_operations(new) - _idle_operations(old))
    return _LOST_CALL * lost_calls + _LOST_NAME * lost_names + _IDLE * idle


def _uses(tree: ast.AST) -> tuple[Counter[str], Counter[str]]:
    calls: Counter[str] = Counter()
    names: Counter[str] = Counter()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            calls["call"] += 1
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            names[node.id] += 1
        elif isinstance(node, ast.Attribute):
            names[node.attr] += 1
    return calls, names


def _idle_operations(tree: ast.AST) -> int:
    """Operations with 0 or 1 whose result is the other operand."""
    found = 0
    for node in ast.walk(tree):
        match node:
            case ast.BinOp(op=ast.Add() | ast.Sub(), right=ast.Constant(value=0)):
                found += 1
            case ast.BinOp(
                op=ast.Mult() | ast.Div() | ast.FloorDiv() | ast.Pow(), right=ast.Constant(value=1)
            ):
                found += 1
            case ast.BinOp(op=ast.Add(), left=ast.Constant(value=0)):
                found += 1
            case ast.BinOp(op=ast.Mult(), left=ast.Constant(value=1)):
                found += 1
    return found
