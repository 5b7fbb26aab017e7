"""The injector: every bug that a package has room for, and a seeded order to take them in.

It was designed from mutation testing and from studies of real bugs, apart from the healer's
templates, and it imports nothing of the healer.
"""

import ast
import hashlib
import random
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from benchmarks.healing_corpus import (
    condition_bugs,
    name_bugs,
    operator_bugs,
    real_bugs,
    statement_bugs,
)
from benchmarks.healing_corpus.mutation import TIERS, Code, Mutation

_TIERS = {
    "a": operator_bugs,
    "b": name_bugs,
    "c": condition_bugs,
    "d": statement_bugs,
    "e": real_bugs,
}


def injector_digest() -> str:
    """Changes whenever the injector's code does."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    kept = [file for file in files if file.stem in ("injector", "mutation", "cases")
            or file.stem.endswith("_bugs")]  # fmt: skip
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in kept)).hexdigest()[:16]


def mutations(path: str, data: bytes, executed: Iterable[int]) -> list[Mutation]:
    """The bugs that one file has room for on its executed lines, 1-based; some do not compile."""
    code = Code(path, data)
    lines = set(executed)
    return [
        mutation
        for tier in TIERS
        for mutation in _TIERS[tier].mutations(code)
        if mutation.line in lines and _is_small(data, mutation)
    ]


def _is_small(data: bytes, mutation: Mutation) -> bool:
    """One line; a lost guard may be the condition's line and that of its one statement."""
    lines = 2 if mutation.pattern == "lost-guard" else 1
    return data.count(b"\n", mutation.start, mutation.end) < lines


def is_change(data: bytes, mutation: Mutation) -> bool:
    """Whether the file still compiles with the bug in it, and is another program."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tree = ast.parse(mutation.applied(data))
            compile(tree, mutation.path, "exec", dont_inherit=True)
        except (SyntaxError, ValueError):
            return False
    return ast.dump(tree) != ast.dump(ast.parse(data))


def in_order(
    sources: Mapping[str, bytes], found: Iterable[Mutation], tier: str, seed: int, name: str
) -> Iterator[Mutation]:
    """The bugs of one tier that compile, by chance, the same for the same seed and name.

    Patterns take turns, so that those with many places do not drown the rare ones; within a
    pattern every place is as likely. No two bugs of one order stand on the same line.
    """
    chance = random.Random(f"{name} {seed} {tier}")
    by_pattern: dict[str, list[Mutation]] = {}
    for mutation in found:
        if mutation.tier == tier:
            by_pattern.setdefault(mutation.pattern, []).append(mutation)
    for each in by_pattern.values():
        chance.shuffle(each)
    used: set[tuple[str, int]] = set()
    while by_pattern:
        patterns = sorted(by_pattern)
        chance.shuffle(patterns)
        for pattern in patterns:
            places = by_pattern[pattern]
            while places:
                mutation = places.pop()
                place = (mutation.path, mutation.line)
                if place not in used and is_change(sources[mutation.path], mutation):
                    used.add(place)
                    yield mutation
                    break
            if not places:
                del by_pattern[pattern]
