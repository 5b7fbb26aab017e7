"""Pairs of candidates: each mends a part of what fails, or both are needed to mend anything."""

import itertools
from collections.abc import Iterator, Sequence

from activities.healing.search.candidate import Candidate

_MOST_PARTIAL = 40
_MOST_CHANGING = 40
_MOST_CHEAP = 40


def combined(
    partial: Sequence[tuple[frozenset[str], bool, Candidate]], failing: frozenset[str]
) -> Iterator[tuple[Candidate, ...]]:
    """Pairs that may mend all failing tests together, the cheapest first.

    Each candidate comes with the tests that it mends alone and whether it changes how the others
    fail. Two edits of one function become one candidate, as it can only be exchanged as a whole.
    """
    pairs = [
        (left.cost + right.cost, left, right)
        for (mended_left, left), (mended_right, right) in itertools.chain(
            itertools.combinations(_mending(partial), 2),
            itertools.combinations(_changing(partial), 2),
        )
        if (mended_left | mended_right == failing or not mended_left | mended_right)
        and not _overlap(left, right)
    ]
    pairs.sort(key=lambda pair: pair[0])
    for cost, left, right in pairs:
        if left.source is right.source and left.unit == right.unit:
            yield (
                Candidate(
                    left.source, left.replacements + right.replacements, cost, left.line,
                    f"{left.description} and {right.description}", left.unit,
                    left.removes or right.removes,
                ),
            )  # fmt: skip
        else:
            yield (left, right)


def _mending(
    partial: Sequence[tuple[frozenset[str], bool, Candidate]],
) -> list[tuple[frozenset[str], Candidate]]:
    found = [(mended, candidate) for mended, _, candidate in partial if mended]
    found.sort(key=lambda entry: (-len(entry[0]), entry[1].cost))
    return found[:_MOST_PARTIAL]


def _changing(
    partial: Sequence[tuple[frozenset[str], bool, Candidate]],
) -> list[tuple[frozenset[str], Candidate]]:
    """Candidates that mend nothing alone: those that change the failure, and the cheapest."""
    idle = [(mended, changed, candidate) for mended, changed, candidate in partial if not mended]
    changing = [entry for entry in idle if entry[1]][:_MOST_CHANGING]
    cheap = [entry for entry in idle if not entry[1]][:_MOST_CHEAP]
    return [(mended, candidate) for mended, _, candidate in (*changing, *cheap)]


def _overlap(left: Candidate, right: Candidate) -> bool:
    return left.source is right.source and any(
        a.start <= b.end and b.start <= a.end for a in left.replacements for b in right.replacements
    )
