"""Templates from history: undo one hunk of the last commit."""

import difflib
from collections.abc import Iterator

from activities.healing.search.candidate import Candidate, Replacement
from activities.healing.search.source_text import SourceText


def reverted_hunks(source: SourceText, before: bytes) -> Iterator[Candidate]:
    """Candidates that put parts of an earlier version back.

    `before` is the file's content one commit earlier.
    """
    try:
        old = before[source.mark :].decode(source.encoding).splitlines(keepends=True)
    except UnicodeDecodeError:
        return
    new = source.text.splitlines(keepends=True)
    if "".join(new) == "".join(old):
        return
    starts = [0]
    for written in new:
        starts.append(starts[-1] + len(written))
    matcher = difflib.SequenceMatcher(None, new, old, autojunk=False)
    for kind, low, high, old_low, old_high in matcher.get_opcodes():
        if kind == "equal":
            continue
        text = "".join(old[old_low:old_high])
        line = low + 1
        fewer = (old_high - old_low) < (high - low)
        # A commit that added much is a feature: taking it back is no repair.
        cost = -0.5 + 0.1 * max(old_high - old_low, high - low) + (1.5 if fewer else 0.0)
        yield Candidate(
            source, (Replacement(starts[low], starts[high], text),), cost, line,
            "took back what the last commit changed there", removes=fewer,
        )  # fmt: skip
