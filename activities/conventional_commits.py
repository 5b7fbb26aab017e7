"""Commit messages, read by https://www.conventionalcommits.org/en/v1.0.0/."""

import re
from dataclasses import dataclass, field

_HEADER = re.compile(r"(?P<kind>[A-Za-z]+)(?:\((?P<scope>[^()]+)\))?(?P<mark>!)?: +(?P<text>\S.*)")
_BREAKING = re.compile(r"^BREAKING[ -]CHANGE: *(.*)", re.MULTILINE)
_RELEASE_AS = re.compile(r"^release-as: *(.*)", re.MULTILINE | re.IGNORECASE)
_SECTIONS = {"feat": "Features", "fix": "Fixes", "perf": "Performance"}


@dataclass(frozen=True)
class Change:
    """One commit, read by the rules of conventional commits."""

    commit: str
    section: str
    """The heading of the notes that it stands under."""
    scope: str
    text: str
    breaking: str
    """What breaks; empty when nothing does."""
    release_as: str = ""
    """The version that a footer `Release-As:` asks for; empty without one."""
    subject: str = field(default="", compare=False)
    """The message's first line as it is."""


def read_change(commit: str, message: str) -> Change:
    """Read one commit message; one that follows no convention is under `Other`."""
    subject, _, body = message.strip().partition("\n")
    subject = subject.strip()
    header = _HEADER.fullmatch(subject)
    footer, wanted = _BREAKING.search(body), _RELEASE_AS.search(body)
    release_as = wanted[1].strip() if wanted else ""
    breaking = footer[1].strip() if footer else ""
    if header is None:
        told = (breaking or subject) if footer else ""
        return Change(commit, "Other", "", subject, told, release_as, subject)
    if not breaking and (header["mark"] or footer):
        breaking = header["text"]
    section = _SECTIONS.get(header["kind"].lower(), "Other")
    text = header["text"].strip()
    return Change(commit, section, header["scope"] or "", text, breaking, release_as, subject)
