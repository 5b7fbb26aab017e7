"""What opengrep reported: its JSON for places, its SARIF for the rules' own words."""

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from activities.finding import Fingerprints, one_line
from activities.process import Completed
from activities.result_file import read_result
from regreen.contracts.gates import Finding, Severity

NOT_EXAMINED = "not-examined"
"""The rule of a file that opengrep did not examine in whole, since it does not parse or took too
long. Its severity is unknown, so that it blocks."""

_SEVERITIES: dict[str, Severity] = {
    "INFO": "low",
    "LOW": "low",
    "WARNING": "medium",
    "MEDIUM": "medium",
    "ERROR": "high",
    "HIGH": "high",
    "CRITICAL": "critical",
}


class UnreadableReport(Exception):
    """opengrep did not do its work; the message is one line."""


class _Place(BaseModel):
    line: int = 0


class _Extra(BaseModel):
    severity: str = ""


class _Result(BaseModel):
    rule: str = Field(alias="check_id")
    path: str
    start: _Place
    extra: _Extra


class _Paths(BaseModel):
    scanned: list[str]


class _Report(BaseModel):
    results: list[_Result]
    errors: list[dict[str, Any]]
    paths: _Paths


class _Text(BaseModel):
    text: str = ""


class _Rule(BaseModel):
    id: str
    description: _Text = Field(alias="fullDescription", default_factory=_Text)


class _Driver(BaseModel):
    rules: list[_Rule]


class _Tool(BaseModel):
    driver: _Driver


class _Run(BaseModel):
    tool: _Tool


class _Log(BaseModel):
    runs: list[_Run]


@dataclass(frozen=True)
class RuleReport:
    """What one run of opengrep, or several, found."""

    findings: tuple[Finding, ...] = ()
    examined: frozenset[str] = frozenset()
    rules: int = 0
    problem: str = ""
    """Why it does not count, in one line; empty when it does."""

    def joined(self, other: "RuleReport") -> "RuleReport":
        """Both, of different files and the same rules."""
        return RuleReport(
            self.findings + other.findings,
            self.examined | other.examined,
            max(self.rules, other.rules),
            self.problem or other.problem,
        )


def read_rule_report(report: Path, log: Path, done: Completed, rules: str) -> RuleReport:
    """Read both reports of a run; `rules` is the prefix of the rules' paths in it.

    Raises UnreadableReport when a report is missing, is none, or does not agree with the exit code.
    """
    data, sarif = read_result(report), read_result(log)
    try:
        found = _Report.model_validate_json(data if data is not None else b"")
        runs = _Log.model_validate_json(sarif if sarif is not None else b"").runs
    except ValidationError as error:
        if done.code != 0:
            raise UnreadableReport(f"ended with code {done.code}: {_last_line(done)}") from error
        raise UnreadableReport(f"no readable report: {_last_line(done)}") from error
    words = {rule.id: rule.description.text for run in runs for rule in run.tool.driver.rules}
    fingerprints = Fingerprints("opengrep")
    findings = [_finding(result, words, fingerprints) for result in found.results]
    findings += [_unread(error, fingerprints) for error in found.errors if error.get("path")]
    problems = [_problem(error, rules) for error in found.errors if not error.get("path")]
    if done.code != 0 and not problems:
        problems.append(f"ended with code {done.code}: {_last_line(done)}")
    return RuleReport(
        findings=tuple(findings),
        examined=frozenset(map(posixpath.normpath, found.paths.scanned)),
        rules=len(words),
        problem=problems[0] if problems else "",
    )


def _finding(result: _Result, words: Mapping[str, str], fingerprints: Fingerprints) -> Finding:
    path = posixpath.normpath(result.path)
    return Finding(
        tool="opengrep",
        rule=result.rule,
        severity=_SEVERITIES.get(result.extra.severity.upper(), "unknown"),
        path=path,
        line=result.start.line,
        message=one_line(words.get(result.rule, "") or "the rule has no message"),
        fingerprint=fingerprints.of(result.rule, path),
    )


def _unread(error: Mapping[str, Any], fingerprints: Fingerprints) -> Finding:
    """The finding for a file; opengrep's own message quotes the source."""
    kind = error.get("type")
    reason = str(kind[0] if isinstance(kind, list) and kind else kind)
    path = posixpath.normpath(str(error["path"]))
    return Finding(
        tool="opengrep",
        rule=NOT_EXAMINED,
        severity="unknown",
        path=path,
        line=_line(error),
        message=one_line(f"not examined in whole: {reason}"),
        fingerprint=fingerprints.of(NOT_EXAMINED, path),
    )


def _line(error: Mapping[str, Any]) -> int:
    try:
        return max(0, int(error["spans"][0]["start"]["line"]))
    except (KeyError, IndexError, TypeError, ValueError):
        return 0


def _problem(error: Mapping[str, Any], rules: str) -> str:
    """What was wrong, with the file when it is about a rule."""
    text = str(error.get("long_msg") or error.get("message") or error.get("type"))
    spans = error.get("spans")
    if isinstance(spans, list) and spans and isinstance(spans[0], dict):
        text = f"{spans[0].get('file', '')}: {text}"
    return one_line(text.replace(f"{rules}repository/", "").replace(rules, ""))


def _last_line(done: Completed) -> str:
    lines = done.tail().strip().splitlines() or ["no output"]
    return lines[-1][:300]
