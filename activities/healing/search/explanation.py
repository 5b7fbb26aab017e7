"""What the search found or did not find, in a sentence for a person."""

from collections.abc import Sequence

from activities.healing.search.candidate import Candidate
from activities.healing.search.measurement import Measurement
from activities.healing.search.patch_choice import Plausible


def explained(
    patch: Sequence[Candidate], measured: Measurement, others: Sequence[Plausible]
) -> str:
    """What the patch changes, where, and why there; and whether other patches would do as well."""
    changes = _changes(patch)
    first = patch[0]
    failed, passed, _ = measured.spectra.get(first.source.path, {}).get(first.line, (0, 0, False))
    failing, passing = len(measured.failing), len(measured.others)
    if failed:
        why = f"{failed} of {failing} failing and {passed} of {passing} other tests run this line"
    else:
        why = "the failing tests depend on this line"
    # How many tests a file has that could not be collected is not known.
    green = f"all {failing + passing} tests of the stage pass"
    if measured.uncollected:
        green = "the whole stage passes"
    told = f"{changes} because {why}; with the change {green}."
    if others:
        edits = "Another edit passes" if len(others) == 1 else f"{len(others)} other edits pass"
        told += f" {edits} the tests that run this code, too: {_changes(others[0].candidates)}."
    return told


def _changes(patch: Sequence[Candidate]) -> str:
    return " and ".join(
        f"{candidate.description} in {candidate.source.path}:{candidate.line}"
        for candidate in patch
    )


def nothing_found(
    plausible: Sequence[Plausible], candidates: int, suspected: str, late: bool
) -> str:
    """Why no patch is handed over."""
    if plausible:
        candidate = plausible[0].candidates[0]
        return (
            f"no patch: the tests pass only if functionality is taken away ({candidate.description}"
            f" in {candidate.source.path}:{candidate.line}), which is no repair to propose unasked;"
            f" {candidates} candidates tried."
        )
    if not suspected:
        return "no patch: no line of the repository's own source is run by the failing tests."
    ended = "the time was over" if late else "all candidates were tried"
    return (
        f"no patch: no single edit makes the stage pass; {ended} after {candidates} candidates,"
        f" {suspected} is suspected most."
    )
