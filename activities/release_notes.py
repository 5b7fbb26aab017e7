"""Release notes in Markdown. Equal arguments give equal text."""

import re
from collections.abc import Sequence

from activities.conventional_commits import Change

NOTES = "RELEASE_NOTES.md"

_ORDER = ("Breaking", "Features", "Fixes", "Performance", "Other")
_LISTED = 200
_LINE = 300


def release_notes(
    title: str,
    previous_tag: str | None,
    changes: Sequence[Change],
    heals: Sequence[str] = (),
    remarks: Sequence[str] = (),
    waivers: Sequence[str] = (),
) -> str:
    """The notes: remarks, heals, waivers, then the commits in sections. All of it is escaped."""
    count = f"{len(changes)} commit{'' if len(changes) == 1 else 's'}"
    since = f"{count} since {previous_tag}." if previous_tag else f"First release, {count}."
    lines = [f"# {_plain(title)}", "", since, *(f"\nNote: {_plain(text)}" for text in remarks)]
    for heading, texts in (("Heals", heals), ("Waivers", waivers)):
        if texts:
            lines += ["", f"## {heading}", "", *(f"- {_plain(text)}" for text in texts[:_LISTED])]
    left = _LISTED
    for heading in _ORDER:
        if heading == "Breaking":
            found = [(change, change.breaking) for change in changes if change.breaking]
        else:
            found = [(change, change.text) for change in changes if change.section == heading]
        if not found:
            continue
        lines += ["", f"## {heading}", ""]
        for change, text in found[:left]:
            scope = f"**{_plain(change.scope)}:** " if change.scope else ""
            lines.append(f"- {scope}{_plain(text)} ({change.commit[:7]})")
        if len(found) > left:
            lines.append(f"- and {len(found) - left} more")
        left = max(0, left - len(found))
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    """Foreign text as one line in which nothing is markup."""
    line = " ".join(text.split())
    line = line if len(line) <= _LINE else f"{line[: _LINE - 1]}…"
    return re.sub(r"([<\[\]`*\\])", r"\\\1", line)
