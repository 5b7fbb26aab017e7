"""Splitting a git patch into patches of one hunk each."""

import re

_FILE = re.compile(rb"^diff --git ", re.MULTILINE)
_HUNK = re.compile(rb"^@@ ", re.MULTILINE)


def split_hunks(patch: bytes) -> list[bytes]:
    """One applicable patch for each hunk, in order; a binary or mode-only change stays whole.

    Parts that concatenate in order give an equivalent patch when they touch different places.
    """
    parts: list[bytes] = []
    starts = [match.start() for match in _FILE.finditer(patch)]
    ends = [*starts[1:], len(patch)] if starts else []
    for start, end in zip(starts, ends, strict=True):
        part = patch[start:end]
        hunks = [match.start() for match in _HUNK.finditer(part)]
        if len(hunks) <= 1:
            parts.append(part)
            continue
        header = part[: hunks[0]]
        for first, last in zip(hunks, [*hunks[1:], len(part)], strict=True):
            parts.append(header + part[first:last])
    return parts
