"""Two opinions on dependencies as one scan."""

from typing import Any

import pytest

from activities.cross_check import joined
from activities.finding import Fingerprints
from regreen.contracts.gates import Finding, Scan, Severity

SUBJECT = "pkg:pypi/till@0.1.0"


def finding(tool: str, rule: str, severity: Severity, *aliases: str) -> Finding:
    return Finding(
        tool=tool,
        rule=rule,
        severity=severity,
        subject=SUBJECT,
        message="m",
        fingerprint=Fingerprints(tool).of(rule, subject=SUBJECT),
        aliases=aliases,
    )


def scan(tool: str, *findings: Finding, **more: Any) -> Scan:
    known: dict[str, Any] = {"gate": "dependencies", "tool": f"{tool} 1.0", "unit": "component"}
    known |= {"examined": 3, "findings": findings, "found": len(findings)}
    return Scan.model_validate(known | more)


def skipped(tool: str, **why: str) -> Scan:
    return Scan(gate="dependencies", tool=tool, **why)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("medium", "high", "high"),
        ("critical", "low", "critical"),
        ("unknown", "low", "low"),
        ("unknown", "unknown", "unknown"),
    ],
)
def test_the_worse_severity_of_a_shared_finding_counts(
    one: Severity, other: Severity, expected: Severity
) -> None:
    trivy = scan("trivy", finding("trivy", "CVE-1", one))
    osv = scan("osv", finding("osv", "PYSEC-1", other, "CVE-1"))

    (found,) = joined([trivy, osv], "security", ())

    (merged,) = found.findings
    assert (merged.tool, merged.rule, merged.aliases) == ("trivy", "CVE-1", ("PYSEC-1",))
    assert (merged.severity, merged.confirmed_by) == (expected, ("osv",))
    assert (found.tool, found.found) == ("trivy+osv", 1)


def test_the_same_name_at_another_component_is_another_finding() -> None:
    elsewhere = finding("osv", "CVE-1", "high").model_copy(update={"subject": "pkg:pypi/b@1"})

    (found,) = joined(
        [scan("trivy", finding("trivy", "CVE-1", "high")), scan("osv", elsewhere)], "security", ()
    )

    assert found.found == 2
    assert found.remarks == (
        f"only trivy knows CVE-1 of {SUBJECT}",
        "only osv knows CVE-1 of pkg:pypi/b@1",
    )


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        ({"problem": "ended with code 2"}, "osv: ended with code 2"),
        ({"examined": 0}, "osv: 0 components examined"),
    ],
)
def test_what_one_did_not_do_is_a_problem_of_both(broken: dict[str, Any], problem: str) -> None:
    (found,) = joined([scan("trivy"), scan("osv", **broken)], "security", ())

    assert found.problem == problem


@pytest.mark.parametrize(
    ("left_out", "require", "problem"),
    [
        ({"missing_tool": "trivy"}, (), ""),
        ({"missing_tool": "trivy"}, ("load",), ""),
        ({"missing_tool": "trivy"}, ("trivy",), "trivy not found, `regreen tools install`"),
        ({"missing_tool": "trivy"}, ("security",), "trivy not found, `regreen tools install`"),
        ({"nothing_to_do": "trivy: no database"}, ("security",), ""),
        ({"nothing_to_do": "trivy: no database"}, ("trivy",), "trivy: no database"),
    ],
)
def test_one_that_is_left_out_is_a_problem_where_it_is_required(
    left_out: dict[str, str], require: tuple[str, ...], problem: str
) -> None:
    (found,) = joined([skipped("trivy", **left_out), scan("osv")], "security", require)

    assert (found.tool, found.problem, found.examined) == ("osv", problem, 3)
    assert found.figures == "no second opinion"


def test_scans_of_other_gates_stay_as_they_are_and_where_they_are() -> None:
    bandit = Scan(gate="static-analysis", tool="bandit", examined=1, unit="file")
    review = Scan(gate="dependency-review", tool="dependency-review", examined=1)

    found = joined([bandit, scan("trivy"), scan("osv"), review], "security", ())

    assert [each.gate for each in found] == [
        "static-analysis",
        "dependencies",
        "dependency-review",
    ]
    assert (found[0], found[2]) == (bandit, review)


@pytest.mark.parametrize("with_trivy", [True, False])
def test_two_that_share_the_components_out_are_counted_and_told_once(with_trivy: bool) -> None:
    shared = [
        scan("pip-audit", examined=5, figures="a service"),
        scan("osv", examined=2, figures="a service"),
    ]
    (found,) = joined([*([scan("trivy", examined=7)] if with_trivy else []), *shared], "", ())

    assert (found.examined, found.figures) == (7, "a service")
