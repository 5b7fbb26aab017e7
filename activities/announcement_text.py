"""An announcement in words, for a person, before any service's markup.

Names of branches and tests, and whatever else a repository chose, are foreign text: they are made
printable, searched for secrets and cut here, and escaped by what writes a service's markup.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import quote

from activities.healing.redaction import redact
from regreen.contracts.announcement import AnnouncedStage, Announcement, Colour
from regreen.counted import counted
from regreen.printable import one_line_of

_LONGEST = 300
_SQUARES: dict[Colour, str] = {"green": "🟢", "red": "🔴", "amber": "🟡"}
_STATES = {
    "passed": "🟢",
    "healed": "🟢",
    "failed": "🔴",
    "cancelled": "🔴",
    "running": "🟡",
    "skipped": "⚪",
}


@dataclass(frozen=True)
class Part:
    """A piece of a line. Only what is `code` or a `link` looks different from its neighbours."""

    text: str
    kind: Literal["words", "code", "link"] = "words"
    url: str = ""


@dataclass(frozen=True)
class Message:
    """What a place is told."""

    title: list[Part]
    lines: list[list[Part]] = field(default_factory=list)
    stages: list[tuple[str, str]] = field(default_factory=list)
    """Name of each stage, and how it is with its seconds."""
    colour: Colour = "amber"


def cleaned(announcement: Announcement) -> Announcement:
    """The announcement with every text as one printable line without what looks like a secret."""
    return Announcement.model_validate(_each(announcement.model_dump(), _clean))


def message_of(announcement: Announcement, page: str | None) -> Message:
    """A cleaned announcement in words; `page` is the run's page in the web UI."""
    told = announcement
    alert = told.kind in ("alert", "resolved")
    title = [Part(f"{_SQUARES[told.colour]} Regreen: {told.kind}"), _code(told.repository)]
    lines = [] if alert else [[Part("ref"), _code(told.ref), Part("commit"), _code(told.commit)]]
    if not alert:
        title.append(_code(told.ref))
    if told.stage:
        tried = f" after {counted(told.attempts, 'attempt')}" if told.attempts else ""
        how = f"healed{tried}" if told.kind == "healed" else told.reason
        lines.append([Part("stage"), _code(told.stage), Part(how)])
    elif told.reason:
        waits = "waits for " if told.kind == "waiting" else ""
        lines.append([Part(f"{waits}{told.reason}")])
    lines += [[Part("fails:"), _code(name)] for name in told.tests]
    if told.more_tests:
        lines.append([Part(f"and {told.more_tests} more")])
    if told.version:
        lines.append([Part("version"), _code(told.version)])
    if told.pull_request is not None:
        shown = told.pull_request
        text = f"pull request #{shown.number}"
        linked = shown.url.startswith(("http://", "https://"))
        first = Part(text, "link", shown.url) if linked else Part(text)
        lines.append([first, Part("from"), _code(shown.branch)])
    if told.commands:
        lines.append([Part("to decide:"), *(_code(command) for command in told.commands)])
    took = [Part(f"after {told.seconds:.0f} s")] if told.seconds else []
    where = Part("the run", "link", page) if page else _code(f"regreen show {told.run}")
    lines.append([where, *took])
    begun = [stage for stage in told.stages if stage.state is not None]
    return Message(title, lines, [(each.name, _how(each)) for each in begun], told.colour)


def plain_title(message: Message) -> str:
    """The title without any markup, and without what some service could take for a mention."""
    return _unmentioned(" ".join(part.text for part in message.title))


def plain_text(message: Message) -> str:
    """The rest of the message likewise."""
    lines = [" ".join(part.url or part.text for part in line) for line in message.lines]
    lines += [f"{name}: {how}" for name, how in message.stages]
    return "\n".join(_unmentioned(line) for line in lines)


def run_page(ui: str | None, namespace: str, announcement: Announcement) -> str | None:
    """The run's page in the web UI at `ui`; None without one."""
    if ui is None:
        return None
    run = f"{quote(announcement.run, safe='')}/{quote(announcement.run_id, safe='')}"
    return f"{ui.rstrip('/')}/namespaces/{quote(namespace, safe='')}/workflows/{run}/timeline"


def cut(text: str, limit: int) -> str:
    """At most `limit` characters of the text, with a sign where something is missing."""
    return text if len(text) <= limit else f"{text[: limit - 2]} …"


def joined(lines: list[str], limit: int) -> str:
    """As many whole lines as fit; escaped text that were cut anywhere else could mean another."""
    kept, length = [], 0
    for line in lines:
        length += len(line) + 1
        if length > limit - 2:
            kept.append("…")
            break
        kept.append(line)
    return "\n".join(kept)


def _how(stage: AnnouncedStage) -> str:
    words = f"{_STATES.get(stage.state or '', '')} {stage.state}"
    if stage.seconds:
        words += f", {stage.seconds:.1f} s"
    if stage.attempts:
        words += f", {counted(stage.attempts, 'attempt')}"
    return words


def _unmentioned(text: str) -> str:
    return text.replace("@", "@\u200b").replace("<", "<\u200b")


def _code(text: str) -> Part:
    return Part(text, "code")


def _clean(text: str) -> str:
    line = one_line_of("".join(c if c.isprintable() else " " for c in redact(text)))
    return cut(line, _LONGEST)


def _each(value: object, change: Callable[[str], str]) -> object:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {name: _each(each, change) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return tuple(_each(each, change) for each in value)
    return value
