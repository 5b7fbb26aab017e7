"""Reading a payload: typed access, and what the providers have in common."""

import re
from typing import Any, get_args

from pydantic import ValidationError

from regreen.contracts.forge_event import CommandName, ForgeEvent

HEAL_BRANCHES = "auto-heal/"
"""Regreen's own branches; what is pushed there starts nothing."""

MARKER = "<!-- regreen"
"""Stands in whatever Regreen writes on a forge."""

# Names become parts of paths, so that none may be `.` or `..`.
_PART = r"(?!\.{1,2}(?:/|$))[\w.%~-]{1,100}"
_REPOSITORY = re.compile(rf"{_PART}(?:/{_PART}){{1,10}}", re.ASCII)
_COMMAND = re.compile(r"^/regreen[ \t]+(\w+)[ \t]*([^\r\n]*)", re.MULTILINE)
# Markdown's fenced code and HTML's comments, to their end or the text's (spec.commonmark.org).
_SHOWN_ONLY = re.compile(
    r"^ {0,3}(?P<fence>(?P<mark>[`~])(?P=mark){2,})(?:(?<=~)|(?=[^`\n]*$))[^\n]*$"
    r"(?:.*?^ {0,3}(?P=fence)(?P=mark)*[ \t\r]*$|.*)"
    r"|<!--(?:.*?-->|.*)",
    re.MULTILINE | re.DOTALL,
)
_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_LONGEST_NAME = 250
_LONGEST_COMMENT = 2000


class MalformedEvent(Exception):
    """The payload lacks what its kind of event always has, or has it in another form."""


def part(body: Any, *path: str) -> dict[str, Any]:
    """The object at a path. Raises MalformedEvent when there is none."""
    value = _at(body, path)
    if not isinstance(value, dict):
        raise MalformedEvent(f"{'.'.join(path)}: expected an object")
    return value


def optional_part(body: Any, *path: str) -> dict[str, Any]:
    """The object at a path; empty when there is none, or null."""
    value = _at(body, path)
    return value if isinstance(value, dict) else {}


def text(body: Any, *path: str) -> str:
    """The text at a path, not empty. Raises MalformedEvent."""
    value = _at(body, path)
    if not isinstance(value, str) or not value:
        raise MalformedEvent(f"{'.'.join(path)}: expected text")
    return value


def optional_text(body: Any, *path: str) -> str:
    """The text at a path; empty when there is none."""
    value = _at(body, path)
    return value if isinstance(value, str) else ""


def number(body: Any, *path: str) -> int:
    """The whole number at a path, not negative. Raises MalformedEvent."""
    value = _at(body, path)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 63:
        raise MalformedEvent(f"{'.'.join(path)}: expected a number")
    return value


def objects(body: Any, *path: str) -> list[dict[str, Any]]:
    """The list of objects at a path. Raises MalformedEvent."""
    value = _at(body, path)
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise MalformedEvent(f"{'.'.join(path)}: expected a list of objects")
    return value


def commit(body: Any, *path: str) -> str:
    """The whole hash of a commit at a path. Raises MalformedEvent."""
    value = text(body, *path)
    if not _COMMIT.fullmatch(value):
        raise MalformedEvent(f"{'.'.join(path)}: expected the hash of a commit")
    return value


def name(value: str) -> str:
    """A branch, a tag or an account, short enough. Raises MalformedEvent."""
    if not value or len(value) > _LONGEST_NAME or not value.isprintable():
        raise MalformedEvent("a branch, tag or account has a name that none can have")
    return value


def branch_or_tag(ref: str) -> str:
    """`refs/heads/main` as `main`. Raises MalformedEvent for what is neither branch nor tag."""
    for prefix in ("refs/heads/", "refs/tags/"):
        if ref.startswith(prefix):
            return name(ref.removeprefix(prefix))
    raise MalformedEvent("ref: expected a branch or a tag")


def clone_url(value: str) -> str:
    """An address that can be cloned over HTTP. Raises MalformedEvent."""
    if not re.fullmatch(r"https?://[^\s@]{1,1000}", value):
        raise MalformedEvent("the clone URL is not an http address")
    return value


def command(written: str) -> tuple[CommandName, str] | None:
    """The first `/regreen COMMAND` at the start of a line, and what follows it there.

    What stands in a fenced code block or in an HTML comment is an example, or not seen at all. None
    when there is none, and for what Regreen wrote itself.
    """
    if MARKER in written:
        return None
    for match in _COMMAND.finditer(_SHOWN_ONLY.sub("", written)):
        for known in get_args(CommandName):
            if match[1].lower() == known:
                return known, shortened(match[2].strip())
    return None


def shortened(written: str) -> str:
    """A comment, cut to what an event can hold."""
    return written[:_LONGEST_COMMENT]


def event(**fields: Any) -> ForgeEvent:
    """The event. Raises MalformedEvent for names and values that it cannot have."""
    if not _REPOSITORY.fullmatch(fields["repository"]):
        raise MalformedEvent("the repository has a name that none can have")
    try:
        return ForgeEvent(**fields)
    except ValidationError as error:
        first = error.errors()[0]
        raise MalformedEvent(f"{first['loc'][0]}: {first['msg']}") from error


def _at(body: Any, path: tuple[str, ...]) -> Any:
    value = body
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value
