"""Findings from the SARIF 2.1.0 file of a repository's own linter.

The rules are those of docs.oasis-open.org/sarif/sarif/v2.1.0: a result without a level has its
rule's, else `warning` (3.27.10); only the kind `fail` is a failure (3.27.9); one with suppressions
none of which is rejected or under review is suppressed (3.27.23).
"""

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from activities.finding import Fingerprints, one_line
from regreen.contracts.gates import Finding, Severity
from regreen.printable import printable

_SEVERITIES: dict[str, Severity] = {"error": "high", "warning": "medium", "note": "low"}
_UNDECIDED = frozenset({"open", "review"})
_HARMLESS = frozenset({"pass", "notApplicable", "informational"})


class UnreadableSarif(Exception):
    """The file is no SARIF log; the message is one line."""


class _Part(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel)


class _Message(_Part):
    text: str = ""
    id: str = ""


class _Location(_Part):
    uri: str = ""


class _Region(_Part):
    start_line: int = 0


class _Physical(_Part):
    artifact_location: _Location = Field(default_factory=_Location)
    region: _Region = Field(default_factory=_Region)


class _Place(_Part):
    physical_location: _Physical = Field(default_factory=_Physical)


class _Suppression(_Part):
    status: str = "accepted"


class _RuleReference(_Part):
    id: str = ""


class _Result(_Part):
    rule_id: str = ""
    rule_index: int = -1
    rule: _RuleReference = Field(default_factory=_RuleReference)
    level: str = ""
    kind: str = "fail"
    message: _Message = Field(default_factory=_Message)
    locations: list[_Place] = []
    suppressions: list[_Suppression] = []
    baseline_state: str = ""


class _Configuration(_Part):
    level: str = "warning"


class _Rule(_Part):
    id: str
    default_configuration: _Configuration = Field(default_factory=_Configuration)


class _Driver(_Part):
    name: str
    rules: list[_Rule] = []


class _Tool(_Part):
    driver: _Driver


class _Notification(_Part):
    level: str = "warning"
    message: _Message = Field(default_factory=_Message)
    locations: list[_Place] = []


class _Invocation(_Part):
    execution_successful: bool
    tool_execution_notifications: list[_Notification] = []
    tool_configuration_notifications: list[_Notification] = []


class _Artifact(_Part):
    location: _Location = Field(default_factory=_Location)


class _Run(_Part):
    tool: _Tool
    results: list[_Result] | None
    """Null when the tool could not start its work (3.14.23)."""
    artifacts: list[_Artifact] = []
    invocations: list[_Invocation] = []


class _Log(_Part):
    version: str
    runs: list[_Run]


@dataclass(frozen=True)
class SarifReport:
    """What a linter found."""

    findings: tuple[Finding, ...]
    suppressed: int
    """Findings that the repository's code suppresses."""
    files: frozenset[str]
    """The files that it says it looked at; empty when it does not say."""
    problem: str = ""
    """Why it does not count, in one line; empty when it does."""


def read_sarif(data: bytes, tool: str, roots: Sequence[str]) -> SarifReport:
    """Read a log; `tool` becomes the findings' tool, `roots` are the names of the repository.

    Raises UnreadableSarif for what is none, or has no run in it.
    """
    try:
        log = _Log.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        message = f"no SARIF log: {where}: {first['msg']}" if where else "no SARIF log: no JSON"
        raise UnreadableSarif(message) from error
    if log.version != "2.1.0" or not log.runs:
        what = "no run in it" if log.version == "2.1.0" else f"version {log.version[:20]}"
        raise UnreadableSarif(f"no SARIF log of version 2.1.0: {what}")
    fingerprints = Fingerprints(tool)
    findings: list[Finding] = []
    files: set[str] = set()
    suppressed = 0
    for run in log.runs:
        files |= {_path(artifact.location.uri, roots) for artifact in run.artifacts}
        for result in run.results or ():
            if result.kind in _HARMLESS or result.baseline_state == "absent":
                continue
            if _is_suppressed(result):
                suppressed += 1
                continue
            findings.append(_finding(result, run, tool, roots, fingerprints))
    files |= {finding.path for finding in findings} if files else set()
    problems = [problem for run in log.runs if (problem := _problem(run, roots))]
    return SarifReport(tuple(findings), suppressed, frozenset(files), next(iter(problems), ""))


def _problem(run: _Run, roots: Sequence[str]) -> str:
    """What the tool says of its own failure; empty when it did its work."""
    name = one_line(printable(run.tool.driver.name))
    for invocation in run.invocations:
        told = [
            *invocation.tool_execution_notifications,
            *invocation.tool_configuration_notifications,
        ]
        errors = [each for each in told if each.level == "error"]
        if not invocation.execution_successful or errors:
            reason = _reason(errors[0], roots) if errors else "no reason given"
            return f"{name} did not do its work: {reason}"[:300]
    return "" if run.results is not None else f"{name} has no results"


def _reason(told: _Notification, roots: Sequence[str]) -> str:
    path, line = _place(told.locations, roots)
    place = f"{path}:{line}: " if path else ""
    return place + one_line(printable(told.message.text or told.message.id or "no message"))


def _is_suppressed(result: _Result) -> bool:
    states = {each.status for each in result.suppressions}
    return bool(states) and states.isdisjoint({"rejected", "underReview"})


def _finding(
    result: _Result, run: _Run, tool: str, roots: Sequence[str], fingerprints: Fingerprints
) -> Finding:
    rule, default = _rule(result, run)
    severity: Severity = "unknown"
    if result.kind not in _UNDECIDED:
        severity = _SEVERITIES.get(result.level or default, "unknown")
    path, line = _place(result.locations, roots)
    return Finding(
        tool=tool,
        rule=rule,
        severity=severity,
        path=path,
        line=line,
        message=one_line(printable(result.message.text or result.message.id or "no message")),
        fingerprint=fingerprints.of(rule, path),
    )


def _rule(result: _Result, run: _Run) -> tuple[str, str]:
    """The rule's name, and the level that it has by default."""
    rules = run.tool.driver.rules
    name = result.rule_id or result.rule.id
    known = [each for each in rules if each.id == name]
    if 0 <= result.rule_index < len(rules):
        known.append(rules[result.rule_index])
    found = known[0] if known else None
    rule = name or (found.id if found else "unnamed")
    return one_line(printable(rule)), found.default_configuration.level if found else "warning"


def _place(locations: Sequence[_Place], roots: Sequence[str]) -> tuple[str, int]:
    """Path and line of the first of the locations; empty and 0 without one."""
    place = locations[0].physical_location if locations else _Physical()
    return _path(place.artifact_location.uri, roots), max(0, place.region.start_line)


def _path(uri: str, roots: Sequence[str]) -> str:
    """The path below the root that a URI means; one that leads elsewhere stays as it is."""
    path = unquote(urlsplit(uri).path) if uri.startswith("file:") else unquote(uri)
    for root in roots:
        if path.startswith(f"{root}/"):
            path = path.removeprefix(f"{root}/")
    return printable(posixpath.normpath(path)) if path else ""
