"""Text of foreign programs, made fit for terminals, pages and JSON documents."""

import re

# Control sequences as ECMA-48 writes them, colours among them: with their end, or of the kind
# whose text runs up to a bell or a string terminator.
_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\))")

# All that steers a terminal: everything below the space but tab and line end, and the C1 set.
_STEERING = dict.fromkeys(
    code for code in (*range(32), *range(127, 160)) if chr(code) not in "\t\n"
)


def printable(text: str) -> str:
    """The text without control sequences and characters, of which a terminal would obey some.

    Lines may end in any way; those that come out end with a line feed.
    """
    return _SEQUENCE.sub("", text).replace("\r\n", "\n").replace("\r", "\n").translate(_STEERING)


def one_line_of(text: str) -> str:
    """The text as one printable line, with single spaces."""
    return " ".join(printable(text).split())
