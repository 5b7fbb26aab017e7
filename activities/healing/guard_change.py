"""What the guard is given: one changed file, before and after."""

import difflib
from dataclasses import dataclass

REGULAR = 0o100644
EXECUTABLE = 0o100755
SYMLINK = 0o120000
SUBMODULE = 0o160000

_MOST_LINES_COMPARED = 4_000


@dataclass(frozen=True)
class ChangedFile:
    """One file that a patch touches. `None` stands for absent; modes are git's."""

    path: str
    """Relative to the repository's root, with forward slashes."""
    before: bytes | None
    after: bytes | None
    before_mode: int | None = REGULAR
    after_mode: int | None = REGULAR


@dataclass(frozen=True)
class Extent:
    """How much a patch changes: lines and bytes, removed and added together."""

    lines: int
    bytes: int


def extent(before: bytes, after: bytes) -> Extent:
    """The lines that differ between two texts, and their bytes.

    What lies between the first and the last difference counts whole when it is too long to compare.
    """
    old, new = before.splitlines(), after.splitlines()
    first, last = _common_ends(old, new)
    old, new = old[first : len(old) - last], new[first : len(new) - last]
    if not old and not new:
        # The texts can still differ in their line endings.
        return Extent(int(before != after), abs(len(before) - len(after)))
    if len(old) + len(new) > _MOST_LINES_COMPARED:
        changed = [*old, *new]
    else:
        matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
        changed = []
        for kind, old_start, old_end, new_start, new_end in matcher.get_opcodes():
            if kind != "equal":
                changed += old[old_start:old_end] + new[new_start:new_end]
    return Extent(len(changed), sum(len(line) for line in changed))


def line_after(before: list[str], after: list[str], line: int) -> int:
    """Where a line of the old text would stand in the new one, 1-based; 0 in an empty text."""
    if not after:
        return 0
    first, last = _common_ends(before, after)
    if line <= first:
        return line
    if line > len(before) - last:
        return line + len(after) - len(before)
    old, new = before[first : len(before) - last], after[first : len(after) - last]
    if len(old) + len(new) <= _MOST_LINES_COMPARED:
        matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
        for kind, old_start, old_end, new_start, _ in matcher.get_opcodes():
            if old_start <= line - 1 - first < old_end:
                within = line - 1 - first - old_start if kind == "equal" else 0
                return min(first + new_start + within + 1, len(after))
    return min(first + 1, len(after))


def _common_ends(old: list[str] | list[bytes], new: list[str] | list[bytes]) -> tuple[int, int]:
    """How many lines two texts share at their beginning, and after that at their end."""
    shortest = min(len(old), len(new))
    first = 0
    while first < shortest and old[first] == new[first]:
        first += 1
    last = 0
    while last < shortest - first and old[-1 - last] == new[-1 - last]:
        last += 1
    return first, last
