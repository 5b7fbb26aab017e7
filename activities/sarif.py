"""Findings as SARIF 2.1.0 (docs.oasis-open.org/sarif/sarif/v2.1.0), a run for each tool."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from regreen.contracts.gates import Finding, GateName, Scan, Severity, Waiver

SARIF = "application/sarif+json"
"""The media type of what is written here."""
_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS: dict[Severity, str] = {
    "unknown": "error",
    "low": "note",
    "medium": "warning",
    "high": "error",
    "critical": "error",
}
_SCORES: dict[Severity, str] = {
    # GitHub's bands of `security-severity`: over 9.0 critical, 7.0 high, 4.0 medium, else low.
    "unknown": "7.0",
    "low": "2.0",
    "medium": "5.0",
    "high": "8.0",
    "critical": "9.5",
}


# What has a `security-severity` counts as an alert about security there; an unused import is none.
_ABOUT_SECURITY: frozenset[GateName] = frozenset({"secrets", "static-analysis", "dependencies"})


def sarif_of(
    scans: Sequence[Scan], findings: Iterable[Finding], waived: Mapping[str, Waiver]
) -> bytes:
    """One SARIF log. A tool that found nothing has a run as well, and one whose scan does not count
    says in it that it failed: no results are not taken for a clean result.

    `waived` maps fingerprints to what excuses them: they become suppressed results.
    """
    found = list(findings)
    versions = {scan.tool.partition(" ")[0]: scan.tool.partition(" ")[2] for scan in scans}
    names = dict.fromkeys([*versions, *(finding.tool for finding in found)])
    runs = []
    for name in names:
        made = [scan for scan in scans if scan.tool.partition(" ")[0] == name]
        scored = any(scan.gate in _ABOUT_SECURITY for scan in made)
        its_own = [finding for finding in found if finding.tool == name]
        run = _run(name, versions.get(name, ""), its_own, waived, scored=scored)
        problems = [scan.problem or "examined nothing" for scan in made if not counts(scan)]
        runs.append(run | {"invocations": [_invocation(problems)]})
    return _text(runs)


def merged_sarif(logs: Iterable[bytes]) -> bytes:
    """All runs of several logs in one. Raises ValueError for what is no SARIF log."""
    runs: list[Any] = []
    for log in logs:
        runs += json.loads(log)["runs"]
    return _text(runs)


def _text(runs: list[Any]) -> bytes:
    document = {"$schema": _SCHEMA, "version": "2.1.0", "runs": runs}
    return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()


def _run(
    tool: str,
    version: str,
    findings: list[Finding],
    waived: Mapping[str, Waiver],
    *,
    scored: bool,
) -> dict[str, Any]:
    rules = list(dict.fromkeys(finding.rule for finding in findings))
    driver: dict[str, Any] = {
        "name": tool,
        "rules": [
            {"id": rule, **(_properties(rule, findings) if scored else {})} for rule in rules
        ],
    }
    if version:
        driver["version"] = version
    return {
        "tool": {"driver": driver},
        # A category for each tool, so that one upload does not replace another's.
        "automationDetails": {"id": f"regreen/{tool}/"},
        "results": [_result(finding, rules.index(finding.rule), waived) for finding in findings],
    }


def counts(scan: Scan) -> bool:
    """Whether a scan did its work; what it found says nothing otherwise."""
    return not scan.problem and scan.examined > 0


def _invocation(problems: Sequence[str]) -> dict[str, Any]:
    invocation: dict[str, Any] = {"executionSuccessful": not problems}
    if problems:
        invocation["toolExecutionNotifications"] = [
            {"level": "error", "message": {"text": problem}} for problem in problems
        ]
    return invocation


def _properties(rule: str, findings: list[Finding]) -> dict[str, Any]:
    score = max((_SCORES[f.severity] for f in findings if f.rule == rule), key=float)
    return {"properties": {"security-severity": score}}


def _result(finding: Finding, index: int, waived: Mapping[str, Waiver]) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": _LEVELS[finding.severity],
        "message": {"text": finding.message},
        "partialFingerprints": {"regreen/v1": finding.fingerprint},
        "properties": {"severity": finding.severity},
    }
    if finding.aliases:
        result["properties"]["aliases"] = list(finding.aliases)
    if finding.confirmed_by:
        result["properties"]["confirmedBy"] = list(finding.confirmed_by)
    if finding.path:
        place: dict[str, Any] = {"artifactLocation": {"uri": quote(finding.path)}}
        if finding.line:
            place["region"] = {"startLine": finding.line}
        result["locations"] = [{"physicalLocation": place}]
    elif finding.subject:
        named = {"fullyQualifiedName": finding.subject}
        result["locations"] = [{"logicalLocations": [named]}]
    waiver = waived.get(finding.fingerprint)
    if waiver is not None:
        why = f"{waiver.reason} ({waiver.owner}, until {waiver.expires})"
        result["suppressions"] = [{"kind": "external", "justification": why}]
    return result
