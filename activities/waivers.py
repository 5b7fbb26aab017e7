"""Waivers: OpenVEX documents of the repository that excuse findings until a date.

OpenVEX (github.com/openvex/spec, version 0.2.0) knows neither an owner nor an end. The owner is the
document's `author`, or `owner: NAME` in the statement's `status_notes`; the end is
`expires: DATE` there. Both are free text to other readers, so the documents stay valid.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from activities.result_file import is_result
from regreen.contracts.gates import Finding, Waiver, WaiverStatus

FOLDER = ".vex"

_LARGEST = 1 << 20
_EXPIRES = re.compile(r"\bexpires:\s*(\S+)", re.IGNORECASE)
_OWNER = re.compile(r"\bowner:\s*([^;\n]+)", re.IGNORECASE)
_EXCUSES: dict[str, WaiverStatus] = {"not_affected": "not_affected", "affected": "affected"}


class _Vulnerability(BaseModel):
    name: str
    aliases: list[str] = []


class _Component(BaseModel):
    id: str = Field(alias="@id", default="")


class _Product(_Component):
    subcomponents: list[_Component] = []


class _Statement(BaseModel):
    vulnerability: _Vulnerability
    products: list[_Product] = []
    status: str
    status_notes: str = ""
    justification: str = ""
    impact_statement: str = ""
    action_statement: str = ""


class _Document(BaseModel):
    context: str = Field(alias="@context")
    author: str = ""
    statements: list[_Statement]


@dataclass(frozen=True)
class Waivers:
    """What a repository excuses, and what in its documents excuses nothing."""

    valid: tuple[Waiver, ...]
    remarks: tuple[str, ...]
    """One line for each statement or document that was not understood."""


def read_waivers(root: Path) -> Waivers:
    """Read `.vex/*.json` of a tree. What is not understood excuses nothing and is a remark."""
    valid: list[Waiver] = []
    remarks: list[str] = []
    folder = root / FOLDER
    if not folder.is_dir() or folder.is_symlink():
        return Waivers((), ())
    for path in sorted(folder.glob("*.json")):
        read = read_document(path, f"{FOLDER}/{path.name}")
        valid += read.valid
        remarks += read.remarks
    return Waivers(tuple(valid), tuple(remarks))


def read_document(path: Path, name: str) -> Waivers:
    """Read one document, which is called `name` in remarks and waivers."""
    document = _document(path)
    if isinstance(document, str):
        return Waivers((), (f"{name} waives nothing: {document}",))
    valid: list[Waiver] = []
    remarks: list[str] = []
    for number, statement in enumerate(document.statements, start=1):
        found = _waivers(document, statement, name)
        if isinstance(found, str):
            about = statement.vulnerability.name
            remarks.append(f"{name}, statement {number} ({about}) waives nothing: {found}")
        else:
            valid += found
    return Waivers(tuple(valid), tuple(remarks))


def excuse(finding: Finding, waivers: Sequence[Waiver], now: datetime) -> Waiver | None:
    """The waiver that excuses the finding for the longest time from `now`; None without one."""
    fitting = [
        waiver for waiver in waivers if _names(waiver, finding) and moment(waiver.expires) > now
    ]
    return max(fitting, key=lambda waiver: moment(waiver.expires), default=None)


def expired(finding: Finding, waivers: Sequence[Waiver], now: datetime) -> Waiver | None:
    """The waiver that would excuse the finding had it not ended; None without one."""
    ended = [
        waiver for waiver in waivers if _names(waiver, finding) and moment(waiver.expires) <= now
    ]
    return max(ended, key=lambda waiver: moment(waiver.expires), default=None)


def moment(text: str) -> datetime:
    """A date or a time of ISO 8601 as a moment; without a zone it is UTC.

    Raises ValueError for anything else.
    """
    found = datetime.fromisoformat(text)
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _document(path: Path) -> _Document | str:
    if not is_result(path) or path.stat().st_size > _LARGEST:
        return "not a regular file of at most 1 MiB"
    try:
        data: Any = json.loads(path.read_bytes())
        document = _Document.model_validate(data)
    except (ValueError, RecursionError) as error:
        if isinstance(error, ValidationError):
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            return f"{place}: {first['msg']}"
        return "not JSON"
    if not document.context.startswith("https://openvex.dev/ns"):
        return "no OpenVEX document: @context is not https://openvex.dev/ns"
    return document


def _waivers(document: _Document, statement: _Statement, name: str) -> list[Waiver] | str:
    if statement.status not in _EXCUSES:
        return f"the status {statement.status} excuses nothing"
    reason = statement.impact_statement or statement.justification
    if statement.status == "affected":
        reason = statement.action_statement
    if not reason:
        needed = (
            "action_statement"
            if statement.status == "affected"
            else "impact_statement or justification"
        )
        return f"no reason: it needs an {needed}"
    named = _OWNER.search(statement.status_notes)
    owner = named[1].strip() if named else document.author.strip()
    if not owner:
        return "no owner: the document needs an author, or status_notes `owner: NAME`"
    expires = _EXPIRES.search(statement.status_notes)
    if expires is None:
        return "no end: status_notes need `expires: YYYY-MM-DD`"
    end = expires[1].rstrip(".;,")
    try:
        moment(end)
    except ValueError:
        return f"`expires: {end}` is not a date of ISO 8601"
    subjects = [
        component.id
        for product in statement.products
        for component in (product.subcomponents or [product])
    ]
    return [
        Waiver(
            rule=rule,
            subject=subject,
            status=_EXCUSES[statement.status],
            owner=owner,
            reason=reason,
            expires=end,
            document=name,
        )
        for rule in (statement.vulnerability.name, *statement.vulnerability.aliases)
        for subject in subjects or [""]
    ]


def _names(waiver: Waiver, finding: Finding) -> bool:
    if waiver.rule not in (finding.rule, *finding.aliases):
        return False
    subject = waiver.subject
    if subject in ("", finding.subject, finding.fingerprint):
        return True
    if subject.startswith("file:"):
        return bool(finding.path) and fnmatchcase(finding.path, subject.removeprefix("file:"))
    # A package URL without a version means every version.
    return "@" not in subject and finding.subject.partition("@")[0] == subject
