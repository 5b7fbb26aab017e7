"""Pairs of candidates that each mend a part of what fails."""

from collections.abc import Iterator, Sequence

from activities.healing.search.candidate import Candidate

_MOST_CANDIDATES = 40


def combined(
    partial: Sequence[tuple[frozenset[str], Candidate]], failing: frozenset[str]
) -> Iterator[tuple[Candidate, ...]]:
    """Pairs that together mend all failing tests, the cheapest first.

    Two edits of one function become one candidate, as it can only be exchanged as a whole.
    """
    promising = sorted(partial, key=lambda entry: (-len(entry[0]), entry[1].cost))
    promising = promising[:_MOST_CANDIDATES]
    pairs = [
        (left.cost + right.cost, left, right)
        for place, (mended_left, left) in enumerate(promising)
        for mended_right, right in promising[place + 1 :]
        if mended_left | mended_right == failing and not _overlap(left, right)
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


def _overlap(left: Candidate, right: Candidate) -> bool:
    return left.source is right.source and any(
        a.start <= b.end and b.start <= a.end for a in left.replacements for b in right.replacements
    )
