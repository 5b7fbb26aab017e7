"""The second opinion on dependencies: the OSV service of the test's own, and trivy beside it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from activities.artifact_store import get_bytes, put_bytes
from activities.osv import audit_dependencies
from activities.trivy import scan_dependencies
from regreen.contracts.dependencies import DependencyRequest
from regreen.contracts.run import StageRequest
from regreen.pipeline_file import Pipeline
from tests.doubles.advisory_database import Advisory, advisory_database
from tests.doubles.osv_service import OsvService, osv_service
from tests.integration.gate_repository import Gate, stage_request, waiving, weighed

BAD = Advisory("CVE-2099-0001", "till", "<0.2.0", "0.2.0", "HIGH", "coins vanish", osv="GHSA-1-2-3")
CART = Advisory("CVE-2099-0002", "@shop/cart", "<2.1", "2.1", "CRITICAL", ecosystem="npm")
COMPONENTS = {"till": "pkg:pypi/till@0.1.0", "@shop/cart": "pkg:npm/%40shop/cart@2.0.0"}


@pytest.fixture
def service(own_state: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OsvService]:
    with osv_service(BAD, CART) as running:
        monkeypatch.setenv("REGREEN_OSV_URL", running.url)
        yield running


async def question(
    folder: Path, more: dict[str, str] | None = None, **pipeline: Any
) -> DependencyRequest:
    request: StageRequest = await stage_request(
        folder / "shop",
        "security",
        Pipeline.model_validate(pipeline),
        [{"README": "", **(more or {})}],
    )
    parts = [
        {"type": "library", "bom-ref": purl, "name": name, "version": "1", "purl": purl}
        for name, purl in COMPONENTS.items()
    ]
    bill = {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": parts}
    kept = await put_bytes("dependencies.cdx.json", json.dumps(bill).encode())
    return DependencyRequest(stage=request, bill=kept)


async def both(asked: DependencyRequest, trivy: Path, monkeypatch: pytest.MonkeyPatch) -> Gate:
    monkeypatch.setenv("REGREEN_TRIVY_DATABASE", str(trivy))
    scans = await scan_dependencies(asked), await audit_dependencies(asked)
    return await weighed(asked.stage, *scans)


async def alone(asked: DependencyRequest) -> Gate:
    return await weighed(asked.stage, await audit_dependencies(asked))


async def test_what_both_know_is_one_finding_with_both_named(
    tmp_path: Path, service: OsvService, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = advisory_database(tmp_path / "trivy", BAD, CART)
    gate = await both(await question(tmp_path), database, monkeypatch)

    assert gate.state == "failed", gate.summary
    cart, till = gate.verdict.blocking
    assert (cart.rule, cart.subject) == ("CVE-2099-0002", "pkg:npm/%40shop/cart@2.0.0")
    assert (till.rule, till.aliases) == ("CVE-2099-0001", ("GHSA-1-2-3",))
    assert (till.tool, till.confirmed_by, till.severity) == ("trivy", ("osv",), "high")
    assert till.message == "till 0.1.0: coins vanish; fixed in 0.2.0"
    assert gate.summary.startswith("trivy+osv: 2 findings of high or above, first CVE-2099-0002 at")
    assert "(found by trivy and osv); examined 2 components, advisories of 20" in gate.summary
    assert not gate.verdict.remarks
    log = json.loads(await get_bytes(gate.weighed.sarif)) if gate.weighed.sarif else {}
    results = {run["tool"]["driver"]["name"]: run["results"] for run in log["runs"]}
    assert [len(results[tool]) for tool in ("trivy", "osv")] == [2, 0]
    assert results["trivy"][0]["properties"]["confirmedBy"] == ["osv"]


async def test_what_only_one_knows_is_found_and_said(
    tmp_path: Path, service: OsvService, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.advisories = (BAD,)
    gate = await both(
        await question(tmp_path), advisory_database(tmp_path / "trivy", CART), monkeypatch
    )

    assert gate.state == "failed"
    assert {each.tool for each in gate.verdict.blocking} == {"trivy", "osv"}
    assert set(gate.verdict.remarks) == {
        "only trivy knows CVE-2099-0002 of pkg:npm/%40shop/cart@2.0.0",
        "only osv knows CVE-2099-0001 of pkg:pypi/till@0.1.0",
    }


async def test_what_neither_knows_passes_with_both_named(
    tmp_path: Path, service: OsvService, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.advisories = ()
    gate = await both(await question(tmp_path), advisory_database(tmp_path / "trivy"), monkeypatch)

    assert gate.state == "passed", gate.summary
    assert gate.summary.startswith("trivy+osv: nothing found; examined 2 components, advisories of")
    assert service.queries == [
        {"package": {"name": "@shop/cart", "ecosystem": "npm"}, "version": "2.0.0"},
        {"package": {"name": "till", "ecosystem": "PyPI"}, "version": "0.1.0"},
    ]


@pytest.mark.parametrize("name", ["CVE-2099-0001", "GHSA-1-2-3"])
async def test_a_finding_of_the_service_is_waived_by_any_of_its_names(
    tmp_path: Path, service: OsvService, name: str
) -> None:
    service.advisories = (BAD,)
    gate = await alone(await question(tmp_path, more=waiving(name)))

    assert gate.state == "waived", gate.summary
    assert gate.verdict.waived[0].finding.rule == "CVE-2099-0001"


async def test_without_a_service_there_is_no_second_opinion_and_the_gate_says_so(
    tmp_path: Path, own_state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REGREEN_OSV_URL", raising=False)
    database = advisory_database(tmp_path / "trivy", BAD)
    asked = await question(tmp_path, security={"vulnerabilities": "critical"})
    gate = await both(asked, database, monkeypatch)

    assert gate.state == "passed", gate.summary
    assert gate.summary.endswith(", no second opinion")
    assert gate.verdict.remarks == (
        "no second opinion: osv: no service to ask, REGREEN_OSV_URL is unset",
    )
    required = await both(
        await question(tmp_path / "required", require=["osv"]), database, monkeypatch
    )
    assert required.state == "failed"
    assert "osv: no service to ask, REGREEN_OSV_URL is unset" in required.summary


async def test_without_both_nothing_is_claimed(
    tmp_path: Path, own_state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REGREEN_OSV_URL", raising=False)
    monkeypatch.delenv("REGREEN_TRIVY_DATABASE", raising=False)
    asked = await question(tmp_path)
    gate = await weighed(
        asked.stage, await scan_dependencies(asked), await audit_dependencies(asked)
    )

    assert gate.state == "skipped"
    assert gate.summary == (
        "trivy: no database of advisories, REGREEN_TRIVY_DATABASE is unset; "
        "osv: no service to ask, REGREEN_OSV_URL is unset"
    )


async def test_a_severity_that_the_record_does_not_tell_blocks(
    tmp_path: Path, service: OsvService
) -> None:
    service.advisories = (Advisory("PYSEC-2099-1", "till", "<9", "9", "UNKNOWN"),)
    gate = await alone(await question(tmp_path, security={"vulnerabilities": "critical"}))

    assert gate.state == "failed", gate.summary
    assert gate.verdict.blocking[0].severity == "unknown"


async def test_two_records_of_one_vulnerability_are_one_finding(
    tmp_path: Path, service: OsvService
) -> None:
    second = Advisory("CVE-2099-0001", "till", "<9", "9", "UNKNOWN", osv="PYSEC-2099-7")
    service.advisories = (BAD, second)
    gate = await alone(await question(tmp_path))

    (finding,) = gate.verdict.blocking
    assert (finding.rule, finding.severity) == ("CVE-2099-0001", "high")
    assert set(finding.aliases) == {"GHSA-1-2-3", "PYSEC-2099-7"}


async def test_an_answer_of_several_pages_is_read_to_its_end(
    tmp_path: Path, service: OsvService
) -> None:
    service.page = 1
    service.advisories = tuple(
        Advisory(f"CVE-2099-{number:04}", "till", "<9", "9", "LOW") for number in range(3)
    )
    gate = await alone(await question(tmp_path, security={"vulnerabilities": "low"}))

    assert {each.rule for each in gate.verdict.blocking} == {
        "CVE-2099-0000",
        "CVE-2099-0001",
        "CVE-2099-0002",
    }


async def test_a_service_in_trouble_is_asked_again(tmp_path: Path, service: OsvService) -> None:
    service.failures = 1
    gate = await alone(await question(tmp_path))

    assert len(gate.verdict.blocking) == 2


@pytest.mark.parametrize(
    ("path", "answer", "reason"),
    [
        ("/v1/querybatch", (200, b"<html>"), "no readable answer from /v1/querybatch"),
        ("/v1/querybatch", (200, b"{}"), "no readable answer from /v1/querybatch"),
        ("/v1/querybatch", (200, b'{"results": []}'), "0 answers to 2 questions"),
        ("/v1/querybatch", (404, b""), "POST /v1/querybatch answered 404"),
        ("/v1/querybatch", (302, b""), "POST /v1/querybatch answered 302"),
        ("/v1/vulns/GHSA-1-2-3", (200, b"{}"), "no readable record of GHSA-1-2-3"),
        ("/v1/vulns/GHSA-1-2-3", (404, b""), "GET /v1/vulns/GHSA-1-2-3 answered 404"),
        (
            "/v1/vulns/GHSA-1-2-3",
            (200, b'{"id": "GHSA-9"}'),
            "answered GHSA-9 when asked for GHSA-1-2-3",
        ),
    ],
)
async def test_a_service_that_misbehaves_fails_the_gate(
    tmp_path: Path, service: OsvService, path: str, answer: tuple[int, bytes], reason: str
) -> None:
    service.answers[path] = answer
    gate = await alone(await question(tmp_path))

    assert gate.state == "failed"
    assert gate.summary.startswith(f"osv: {reason}")


async def test_a_service_that_is_silent_or_gone_fails_the_gate(
    tmp_path: Path, service: OsvService, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = await question(tmp_path, security={"timeout": 0.2})
    service.silent.clear()
    gate = await alone(asked)
    assert (gate.state, gate.scan.problem) == ("failed", "no answer within 0.2 s")

    monkeypatch.setattr("activities.osv._TRIES", 1)
    monkeypatch.setenv("REGREEN_OSV_URL", "http://127.0.0.1:9")
    gate = await alone(await question(tmp_path / "gone"))
    assert gate.state == "failed"
    assert "cannot be reached" in gate.summary
