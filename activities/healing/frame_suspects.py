"""Suspicious lines of a failure whose coverage is not known: where its stack traces lead."""

from collections.abc import Sequence

from activities.healing.guard_paths import is_test_path
from regreen.contracts.testing import TestFailure

_INNERMOST = 0.9
_OUTWARDS = 0.7


def suspects_by_frames(failures: Sequence[TestFailure], most: int) -> list[tuple[str, int, float]]:
    """Path, line and suspiciousness of the places in the traces that are no tests.

    The innermost place of a trace is the most suspicious, and each further out is less so.
    """
    scores: dict[tuple[str, int], float] = {}
    for failure in failures:
        inner = [frame for frame in failure.frames if not is_test_path(frame.path)]
        for depth, frame in enumerate(reversed(inner)):
            place = (frame.path, frame.line)
            scores[place] = max(scores.get(place, 0.0), _INNERMOST * _OUTWARDS**depth)
    ranked = sorted(scores.items(), key=lambda each: (-each[1], each[0]))
    return [(path, line, score) for (path, line), score in ranked[:most]]
