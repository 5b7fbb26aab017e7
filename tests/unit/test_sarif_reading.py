"""What another linter's SARIF file says, by the rules of SARIF 2.1.0."""

import json
from pathlib import Path
from typing import Any

import pytest

from activities.sarif_reading import SarifReport, UnreadableSarif, read_sarif

CORPUS = Path(__file__).parents[1] / "corpus" / "sarif"
ROOTS = ("/workspace",)


def log(*results: dict[str, Any], rules: list[dict[str, Any]] | None = None, **run: Any) -> bytes:
    driver = {"name": "ESLint", "rules": rules or []}
    document = {
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": results} | run],
    }
    return json.dumps(document).encode()


def result(**more: Any) -> dict[str, Any]:
    place = {"artifactLocation": {"uri": "src/a.js"}, "region": {"startLine": 3}}
    known = {"ruleId": "no-eval", "message": {"text": "no"}}
    return known | {"locations": [{"physicalLocation": place}]} | more


def read(data: bytes) -> SarifReport:
    return read_sarif(data, "eslint", ROOTS)


def test_a_result_is_a_finding_with_rule_place_and_message() -> None:
    (found,) = read(log(result(level="error"))).findings
    assert (found.tool, found.rule, found.severity) == ("eslint", "no-eval", "high")
    assert (found.place, found.message) == ("src/a.js:3", "no")


@pytest.mark.parametrize(
    ("fields", "severity"),
    [
        ({"level": "error"}, "high"),
        ({"level": "warning"}, "medium"),
        ({"level": "note"}, "low"),
        ({"level": "none"}, "unknown"),
        ({"level": "dreadful"}, "unknown"),
        ({"level": "error", "kind": "review"}, "unknown"),
        ({}, "medium"),
        ({"ruleId": "strict"}, "high"),
        ({"ruleId": "", "ruleIndex": 0}, "high"),
    ],
)
def test_its_severity_is_its_level_or_its_rules(fields: dict[str, Any], severity: str) -> None:
    rules = [{"id": "strict", "defaultConfiguration": {"level": "error"}}]
    (found,) = read(log(result(**fields), rules=rules)).findings
    assert found.severity == severity


@pytest.mark.parametrize(
    ("fields", "found", "suppressed"),
    [
        ({"suppressions": [{"kind": "inSource"}]}, 0, 1),
        ({"suppressions": [{"kind": "inSource", "status": "rejected"}]}, 1, 0),
        ({"suppressions": [{"kind": "external", "status": "underReview"}]}, 1, 0),
        ({"suppressions": []}, 1, 0),
        ({"kind": "pass"}, 0, 0),
        ({"kind": "notApplicable"}, 0, 0),
        ({"baselineState": "absent"}, 0, 0),
        ({"baselineState": "unchanged"}, 1, 0),
    ],
)
def test_what_is_no_failure_is_no_finding(
    fields: dict[str, Any], found: int, suppressed: int
) -> None:
    report = read(log(result(**fields)))
    assert (len(report.findings), report.suppressed) == (found, suppressed)


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("src/a.js", "src/a.js"),
        ("./src/a.js", "src/a.js"),
        ("file:///workspace/src/a%20b.js", "src/a b.js"),
        ("/workspace/a.js", "a.js"),
        ("file:///etc/passwd", "/etc/passwd"),
        ("", ""),
    ],
)
def test_a_uri_becomes_a_path_below_the_root(uri: str, path: str) -> None:
    place = {"physicalLocation": {"artifactLocation": {"uri": uri}}}
    (found,) = read(log(result(locations=[place]))).findings
    assert (found.path, found.line) == (path, 0)


def test_the_files_are_those_that_the_report_lists() -> None:
    artifacts = [{"location": {"uri": "file:///workspace/src/b.js"}}]
    assert read(log(result())).files == frozenset()
    assert read(log(result(), artifacts=artifacts)).files == {"src/a.js", "src/b.js"}


def test_text_for_a_terminal_is_made_harmless() -> None:
    (found,) = read(log(result(message={"text": "a\x1b[31m\nb"}, ruleId="r\x07"))).findings
    assert (found.message, found.rule) == ("a b", "r")


def test_runs_of_several_tools_are_read_together() -> None:
    one = json.loads(log(result()))
    one["runs"] += one["runs"]
    report = read(json.dumps(one).encode())
    assert len({found.fingerprint for found in report.findings}) == 2


NOT_DONE = "ESLint did not do its work: "
FAILED = {"executionSuccessful": False}
TOLD = {"level": "error", "message": {"text": "out of\nmemory"}}


@pytest.mark.parametrize(
    ("run", "problem"),
    [
        ({"invocations": [FAILED]}, f"{NOT_DONE}no reason given"),
        (
            {"invocations": [FAILED | {"toolConfigurationNotifications": [TOLD]}]},
            f"{NOT_DONE}out of memory",
        ),
        (
            {
                "invocations": [
                    {"executionSuccessful": True, "toolExecutionNotifications": [TOLD]},
                ]
            },
            f"{NOT_DONE}out of memory",
        ),
        ({"results": None}, "ESLint has no results"),
        ({"invocations": [{"executionSuccessful": True}]}, ""),
    ],
)
def test_a_run_that_failed_is_a_problem(run: dict[str, Any], problem: str) -> None:
    assert read(log(**run)).problem == problem


def test_what_eslint_itself_writes_is_understood() -> None:
    """Written by ESLint 9.39.5 with @microsoft/eslint-formatter-sarif 3.1.0."""
    report = read((CORPUS / "eslint.sarif").read_bytes())

    assert [(each.rule, each.severity, each.place) for each in report.findings] == [
        ("no-unused-vars", "medium", "src/a.js:1"),
        ("no-eval", "high", "src/a.js:2"),
    ]
    assert report.suppressed == 1
    assert report.files == {"src/a.js", "src/b.js", "src/c.js"}
    assert report.problem == f"{NOT_DONE}src/c.js:1: Parsing error: Unexpected token ("


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "no SARIF log: no JSON"),
        (b"garbage", "no SARIF log: no JSON"),
        (b"[]", "no SARIF log: no JSON"),
        (b'{"version": "2.1.0"}', "no SARIF log: runs: Field required"),
        (b'{"version": "2.1.0", "runs": []}', "no run in it"),
        (b'{"version": "1.0.0", "runs": []}', "version 1.0.0"),
        (
            b'{"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "x"}}}]}',
            "no SARIF log: runs.0.results: Field required",
        ),
    ],
)
def test_what_is_no_log_is_refused_with_one_line(data: bytes, reason: str) -> None:
    with pytest.raises(UnreadableSarif) as raised:
        read(data)
    assert reason in str(raised.value)
    assert "\n" not in str(raised.value)
