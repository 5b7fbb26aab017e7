"""Which lines are suspected: Ochiai over per-test coverage, and the frames of the tracebacks."""

import math
from collections.abc import Mapping, Sequence

from regreen.contracts.testing import TestFailure

Spectra = Mapping[str, Mapping[int, tuple[int, int, bool]]]
"""By file and line: failing and passing tests that ran it, and whether collecting did."""

_FRAME_BONUS = 0.25
_ENCLOSING_BONUS = 0.1


def suspicion(
    spectra: Spectra, failing: int, passing: int, failures: Sequence[TestFailure]
) -> dict[str, dict[int, float]]:
    """Each file's lines with a suspicion from 0 to about 1.3, for lines that failing tests ran.

    `failing` and `passing` are how many tests there are of each. What collecting the tests ran has
    been run for all of them.

    Ochiai: failed(line) / sqrt(failed * (failed(line) + passed(line))), after Ochiai (1957) as
    used for fault localisation by Abreu et al. (2006). A line in a traceback gets a bonus, the
    innermost one of the repository the most.
    """
    scores: dict[str, dict[int, float]] = {}
    for path, lines in spectra.items():
        for line, (own_failed, own_passed, collecting) in lines.items():
            everyone = collecting and not own_failed
            failed = failing if everyone else own_failed
            passed = passing if everyone else own_passed
            if failed and failing:
                value = failed / math.sqrt(failing * (failed + passed))
                scores.setdefault(path, {})[line] = value
    for failure in failures:
        inner = [frame for frame in failure.frames if not is_test_path(frame.path)]
        for depth, frame in enumerate(reversed(inner)):
            file = scores.setdefault(frame.path, {})
            bonus = _FRAME_BONUS if depth == 0 else _ENCLOSING_BONUS
            known = file.get(frame.line, 0.5)
            file[frame.line] = min(known + bonus, 1.3)
    return scores


def is_test_path(path: str) -> bool:
    """Whether a path belongs to the tests and not to what they test."""
    *folders, name = path.split("/")
    if any(folder in {"test", "tests", "testing"} for folder in folders):
        return True
    return name.startswith("test_") or name.endswith("_test.py") or name == "conftest.py"


def is_source_path(path: str) -> bool:
    """Whether the healer may look for the fault in this file."""
    *folders, name = path.split("/")
    if not name.endswith(".py") or is_test_path(path) or ".." in folders:
        return False
    if name in {"setup.py", "noxfile.py", "sitecustomize.py", "usercustomize.py"}:
        return False
    outside = {"site-packages", "node_modules", "venv", "docs", "build", "dist"}
    return not any(folder.startswith(".") or folder in outside for folder in folders)
