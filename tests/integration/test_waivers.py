"""Waivers of the repository, weighed over what real tools found."""

import json
from pathlib import Path
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.artifact_store import get_bytes
from activities.bandit import scan_python
from activities.gitleaks import scan_secrets
from activities.k6 import run_load_test
from activities.run_findings import StageFindings, merge_findings
from regreen.contracts.gates import Scan, Waiver
from regreen.pipeline_file import LoadSection, Pipeline
from tests.integration.gate_repository import Files, Gate, stage_request, weighed

pytestmark = pytest.mark.usefixtures("own_state")

SHELL = "import subprocess\n\n\ndef run(order):\n    subprocess.run(order, shell=True)\n"


def vex(rule: str, *products: dict[str, Any], **statement: Any) -> str:
    """An OpenVEX document with one statement that is valid until 2027."""
    known = {
        "vulnerability": {"name": rule},
        "products": list(products),
        "status": "not_affected",
        "impact_statement": "the order is never a customer's text",
        "status_notes": "expires: 2027-01-01",
    }
    return json.dumps(
        {
            "@context": "https://openvex.dev/ns/v0.2.0",
            "@id": "https://example.invalid/vex/1",
            "author": "shop team",
            "timestamp": "2026-11-01T00:00:00Z",
            "version": 1,
            "statements": [known | statement],
        }
    )


async def scan(folder: Path, document: str, *, now: str = "2026-11-25T12:00:00Z") -> Gate:
    files: Files = {"shop/run.py": SHELL, ".vex/shop.openvex.json": document}
    request = await stage_request(folder / "repository", "security", Pipeline(), [files])
    return await weighed(request, await scan_python(request), now=now)


async def test_a_waived_finding_lets_the_gate_pass_and_says_who_until_when(tmp_path: Path) -> None:
    gate = await scan(tmp_path, vex("B602", {"@id": "file:shop/*.py"}))

    assert gate.state == "waived"
    assert gate.summary == (
        "bandit: 1 finding waived, first B602 by shop team until 2027-01-01; "
        "examined 1 file, 3 lines of code"
    )
    (waived,) = gate.verdict.waived
    assert (waived.finding.rule, waived.finding.place) == ("B602", "shop/run.py:5")
    assert waived.waiver.reason == "the order is never a customer's text"
    assert gate.verdict.reopens == "2027-01-01T00:00:00+00:00"
    assert gate.verdict.blocking == ()


async def test_from_its_expiry_on_a_waiver_excuses_nothing(tmp_path: Path) -> None:
    gate = await scan(tmp_path, vex("B602"), now="2027-01-01T00:00:00Z")

    assert gate.state == "failed"
    assert [finding.rule for finding in gate.verdict.blocking] == ["B602"]
    assert gate.verdict.remarks == (
        "the waiver of B602 by shop team ended on 2027-01-01 (.vex/shop.openvex.json)",
    )


@pytest.mark.parametrize(
    ("document", "remark"),
    [
        (vex("B602", status_notes=""), "no end: status_notes need `expires: YYYY-MM-DD`"),
        (vex("B602", status_notes="expires: soon"), "`expires: soon` is not a date of ISO 8601"),
        (vex("B602", impact_statement=""), "no reason: it needs an impact_statement or"),
        (vex("B602", status="affected"), "no reason: it needs an action_statement"),
        (vex("B602", status="fixed"), "the status fixed excuses nothing"),
        (vex("B602").replace("shop team", " "), "no owner: the document needs an author"),
        ("garbage", "not JSON"),
        ("[]", "waives nothing"),
        (vex("B602").replace("openvex.dev", "other.dev"), "no OpenVEX document"),
        ("[" * 100_000, "not JSON"),
    ],
)
async def test_what_is_not_understood_waives_nothing_and_is_said(
    tmp_path: Path, document: str, remark: str
) -> None:
    gate = await scan(tmp_path, document)

    assert gate.state == "failed"
    (said,) = gate.verdict.remarks
    assert said.startswith(".vex/shop.openvex.json")
    assert remark in said


@pytest.mark.parametrize(
    "document",
    [
        vex("B603"),
        vex("B404"),
        vex("B602", {"@id": "file:tests/*"}),
        vex("B602", {"@id": "pkg:pypi/shop"}),
    ],
)
async def test_a_waiver_of_something_else_excuses_nothing(tmp_path: Path, document: str) -> None:
    gate = await scan(tmp_path, document)

    assert gate.weighed.waivers is None
    assert (gate.state, gate.verdict.remarks) == ("failed", ())


async def test_a_risk_can_be_taken_for_a_time_by_a_named_owner(tmp_path: Path) -> None:
    document = vex(
        "B602",
        status="affected",
        action_statement="replaced with the next release",
        status_notes="owner: payments; expires: 2026-12-01T08:00:00Z",
    )
    gate = await scan(tmp_path, document)

    assert gate.state == "waived"
    assert gate.verdict.waived[0].waiver.owner == "payments"
    assert gate.verdict.reopens == "2026-12-01T08:00:00+00:00"


async def test_a_waiver_does_not_excuse_a_scanner_that_did_not_work(tmp_path: Path) -> None:
    files: Files = {"shop/run.py": SHELL, "b.py": "def (:\n", ".vex/a.json": vex("B602")}
    request = await stage_request(tmp_path / "repository", "security", Pipeline(), [files])

    gate = await weighed(request, await scan_python(request))

    assert gate.state == "failed"
    assert "b.py not examined" in gate.summary


async def test_a_secret_can_be_waived(tmp_path: Path) -> None:
    leak = 'KEY = "AKIA' + 'Z7Q3K5J2M4N6P2R7"\n'
    files: Files = {
        "keys.py": leak,
        ".vex/a.json": vex("aws-access-token", {"@id": "file:keys.py"}),
    }
    request = await stage_request(tmp_path / "repository", "security", Pipeline(), [files])

    gate = await weighed(request, await scan_secrets(request))

    assert gate.state == "waived"
    assert [each.finding.place for each in gate.verdict.waived] == ["keys.py:1"]


async def test_a_crossed_threshold_can_be_waived(tmp_path: Path) -> None:
    script = (
        "import http from 'k6/http';\n"
        "export const options = { iterations: 2, thresholds: { http_reqs: ['count>9'] } };\n"
        "export default function () { http.get('http://127.0.0.1:8123/'); }\n"
    )
    server = ["python", "-m", "http.server", "8123", "--bind", "127.0.0.1"]
    section = LoadSection.model_validate(
        {
            "script": "x.js",
            "service": {"command": server, "ready": "http://127.0.0.1:8123/"},
        }
    )
    waiver = vex("crossed-threshold", {"@id": "http_reqs:count>9"})
    files: Files = {"x.js": script, ".vex/a.json": waiver}
    pipeline = Pipeline(load=section)
    request = await stage_request(tmp_path / "repository", "load", pipeline, [files])

    gate = await weighed(request, await run_load_test(request))

    assert gate.state == "waived", gate.summary
    assert gate.verdict.waived[0].finding.message == "http_reqs count>9 (was 2)"


async def test_more_findings_than_travel_with_a_scan_are_weighed_and_kept_too(
    tmp_path: Path,
) -> None:
    calls = "    subprocess.run(order, shell=True)\n" * 60
    files: Files = {
        "shop/run.py": f"import subprocess\n\n\ndef run(order):\n{calls}",
        "shop/other.py": SHELL,
        ".vex/shop.json": vex("B602", {"@id": "file:shop/run.py"}),
    }
    request = await stage_request(tmp_path / "repository", "security", Pipeline(), [files])
    scan = await scan_python(request)
    assert len(scan.findings) < 61 < scan.found

    gate = await weighed(request, scan)

    assert [each.place for each in gate.verdict.blocking] == ["shop/other.py:5"]
    assert gate.weighed.sarif is not None
    assert gate.weighed.waivers is not None
    (line,) = (await get_bytes(gate.weighed.waivers)).splitlines()
    assert Waiver.model_validate_json(line).subject == "file:shop/run.py"
    (run,) = json.loads(await get_bytes(gate.weighed.sarif))["runs"]
    assert len(run["results"]) == scan.found
    assert len([result for result in run["results"] if "suppressions" in result]) == 60


async def test_all_findings_are_kept_as_sarif_with_what_excuses_them(tmp_path: Path) -> None:
    gate = await scan(tmp_path, vex("B602"))

    assert gate.weighed.sarif is not None
    log = json.loads(await get_bytes(gate.weighed.sarif))
    (run,) = log["runs"]
    assert run["automationDetails"]["id"] == "regreen/bandit/"
    assert run["tool"]["driver"]["name"] == "bandit"
    by_rule = {result["ruleId"]: result for result in run["results"]}
    assert set(by_rule) == {"B404", "B602"}
    found = by_rule["B602"]
    assert found["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "shop/run.py"},
        "region": {"startLine": 5},
    }
    (suppression,) = found["suppressions"]
    assert "shop team, until 2027-01-01" in suppression["justification"]
    assert "suppressions" not in by_rule["B404"]


async def test_there_is_no_score_where_a_scan_did_not_do_its_work(tmp_path: Path) -> None:
    request = await stage_request(tmp_path / "shop", "security", Pipeline(), [{"a.py": "x = 1\n"}])
    clean = await scan_python(request)
    secrets = Scan(gate="secrets", tool="gitleaks", unit="commit")
    broken = secrets.model_copy(update={"problem": "it crashed"})
    absent = secrets.model_copy(update={"missing_tool": "gitleaks"})

    scores = [
        (await weighed(request, clean, *others)).weighed.score
        for others in ([], [absent], [broken], [secrets])
    ]
    assert scores == [100, 100, None, None]


async def test_the_logs_of_the_stages_become_one_file_of_the_run(tmp_path: Path) -> None:
    security = (await scan(tmp_path, vex("B602"))).weighed.sarif
    load = LoadSection(script="load.js")
    request = await stage_request(tmp_path / "load", "load", Pipeline(load=load), [{"a": "a"}])
    missing = (await weighed(request, await run_load_test(request))).weighed.sarif
    assert security is not None
    assert missing is not None

    logs = StageFindings(logs=(missing, security))
    kept = await ActivityEnvironment().run(merge_findings, logs)

    assert (kept.name, kept.media_type) == ("findings.sarif", security.media_type)
    k6, bandit = json.loads(await get_bytes(kept))["runs"]
    assert (k6["invocations"][0]["executionSuccessful"], k6["results"]) == (False, [])
    assert [json.loads(await get_bytes(security))["runs"]] == [[bandit]]
    assert await ActivityEnvironment().run(merge_findings, logs) == kept
