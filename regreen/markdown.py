"""Text of foreign origin as Markdown that shows it and obeys none of it."""

import re

_CODE_SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")
_PUNCTUATION = re.compile(r"([\\`*_\[\]<>~|$!])")
# What GitHub turns into a notification or a reference: @name, #12, GH-12.
_CALLS = re.compile(r"(?i)(?<!&)@(?=\w)|#(?=\d)|(?<=\bGH)-(?=\d)")
_LINK = re.compile(r"(?i)(https?|ftp|mailto)(:)|\b(www)(\.)")
_AT_THE_START = re.compile(r"^([-+#=:>]|\d+[.)])")
_UNSEEN = "\u200b"


def code(text: str, limit: int = 200) -> str:
    """One line of code: markup, mentions and HTML in it are just letters."""
    line = _one_line(text, limit) or " "
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    padding = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{padding}{line}{padding}{fence}"


def prose(text: str, limit: int = 2000) -> str:
    """One paragraph of plain text, in which only code spans keep their meaning."""
    line = _one_line(text, limit)
    parts, end = [], 0
    for span in _CODE_SPAN.finditer(line):
        parts += [_plain(line[end : span.start()]), code(span[2].strip() or span[2], limit)]
        end = span.end()
    joined = "".join([*parts, _plain(line[end:])])
    return _AT_THE_START.sub(lambda found: _escaped_start(found[1]), joined)


def cell(markdown: str) -> str:
    """Markdown of one line, safe to stand in a table: no bar in it ends the cell."""
    # A bar ends a cell unless an odd number of backslashes stands before it.
    return re.sub(r"(?<!\\)((?:\\\\)*)\|", r"\1\\|", markdown)


def block(text: str, language: str = "") -> str:
    """A fenced block that nothing inside can close."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def _one_line(text: str, limit: int) -> str:
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= limit else f"{line[: limit - 2]} …"


def _plain(text: str) -> str:
    text = _PUNCTUATION.sub(r"\\\1", text)
    text = text.replace("&", "&amp;")
    text = _LINK.sub(lambda found: f"{found[1] or found[3]}{_UNSEEN}{found[2] or found[4]}", text)
    return _CALLS.sub(lambda found: f"{found[0]}{_UNSEEN}", text)


def _escaped_start(start: str) -> str:
    return f"{start[:-1]}\\{start[-1]}"
