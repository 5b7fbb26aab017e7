"""Blocks of sources in any language, found by their indentation alone."""

import re
from collections.abc import Sequence

_CLOSING = re.compile(r"\s*(?:[)}\]]|end\b|</)")
_ABOVE = re.compile(r"\s*(?:[@*]|/\*|//|#)")


def block_around(lines: Sequence[str], line: int, longest: int) -> tuple[int, int] | None:
    """First and last line of the outermost block around a 1-based line, with what stands over it.

    Blocks longer than `longest` lines are passed over. None when no block is short enough.
    """
    found = None
    start: int | None = line
    while start is not None:
        first, last = _with_comments(lines, start), _end(lines, start)
        if last > start and last - first < longest:
            found = first, last
        start = _parent(lines, start)
    return found


def block_of_test(lines: Sequence[str], name: str, near: int, longest: int) -> tuple[int, int]:
    """First and last line of the test called `name`, at most `longest` lines.

    Of several places the last one up to the 1-based line `near` is meant, or the first when `near`
    is 0. Where the name does not stand in the source, the lines about `near` are given.
    """
    wanted = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)") if name else re.compile(r"(?!)")
    places = [number for number, text in enumerate(lines, start=1) if wanted.search(text)]
    before = [number for number in places if number <= near]
    if not places:
        middle = max(1, min(near, len(lines)))
        return max(1, middle - longest // 4), min(len(lines), middle + longest // 4)
    start = before[-1] if before else places[0]
    return start, min(_end(lines, start), start + longest - 1)


def _indentation(text: str) -> int:
    return len(text) - len(text.lstrip())


def _parent(lines: Sequence[str], line: int) -> int | None:
    own = _indentation(lines[line - 1])
    for number in range(line - 1, 0, -1):
        text = lines[number - 1]
        if text.strip() and _indentation(text) < own and not _CLOSING.match(text):
            return number
    return None


def _end(lines: Sequence[str], start: int) -> int:
    own, last = _indentation(lines[start - 1]), start
    for number in range(start + 1, len(lines) + 1):
        text = lines[number - 1]
        if not text.strip():
            continue
        if _indentation(text) <= own:
            return number if _CLOSING.match(text) else last
        last = number
    return last


def _with_comments(lines: Sequence[str], start: int) -> int:
    while start > 1 and _ABOVE.match(lines[start - 2]):
        start -= 1
    return start
