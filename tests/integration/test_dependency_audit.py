"""The second opinion on dependencies: pip-audit and a service of the test's own, beside trivy."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from activities import dependency_audit, osv, pip_audit
from activities.artifact_store import get_bytes, put_bytes
from activities.dependency_audit import audit_dependencies
from activities.trivy import scan_dependencies
from regreen.contracts.dependencies import DependencyRequest
from regreen.contracts.run import StageRequest
from regreen.pipeline_file import Pipeline
from tests.doubles.advisory_database import Advisory, advisory_database
from tests.doubles.osv_service import OsvService, osv_service
from tests.integration.gate_repository import Gate, stage_request, waiving, weighed

BAD = Advisory("CVE-2099-0001", "till", "<0.2.0", "0.2.0", "HIGH", "coins vanish", osv="GHSA-1-2-3")
CART = Advisory("CVE-2099-0002", "@shop/cart", "<2.1", "2.1", "CRITICAL", ecosystem="npm")
CART_2 = "pkg:npm/%40shop/cart@2.0.0"
PYTHON = ("pkg:pypi/till@0.1.0",)


@pytest.fixture
def service(own_state: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OsvService]:
    with osv_service(BAD, CART) as running:
        monkeypatch.setenv("REGREEN_OSV_URL", running.url)
        yield running


async def question(
    folder: Path,
    more: dict[str, str] | None = None,
    components: Sequence[str] = (CART_2, *PYTHON),
    **pipeline: Any,
) -> DependencyRequest:
    request: StageRequest = await stage_request(
        folder / "shop",
        "security",
        Pipeline.model_validate(pipeline),
        [{"README": "", **(more or {})}],
    )
    parts = [
        {"type": "library", "bom-ref": purl, "name": name, "version": "1", "purl": purl}
        for purl in components
        for name in [unquote(purl.partition("/")[2].rpartition("@")[0])]
    ]
    bill = {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": parts}
    kept = await put_bytes("dependencies.cdx.json", json.dumps(bill).encode())
    return DependencyRequest(stage=request, bill=kept)


async def both(asked: DependencyRequest, trivy: Path, monkeypatch: pytest.MonkeyPatch) -> Gate:
    monkeypatch.setenv("REGREEN_TRIVY_DATABASE", str(trivy))
    audits = await audit_dependencies(asked)
    return await weighed(asked.stage, await scan_dependencies(asked), *audits)


async def alone(asked: DependencyRequest) -> Gate:
    return await weighed(asked.stage, *await audit_dependencies(asked))


async def test_what_both_know_is_one_finding_with_both_named(
    tmp_path: Path, service: OsvService, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = advisory_database(tmp_path / "trivy", BAD, CART)
    gate = await both(await question(tmp_path), database, monkeypatch)

    assert gate.state == "failed", gate.summary
    cart, till = gate.verdict.blocking
    assert (cart.rule, cart.subject) == ("CVE-2099-0002", "pkg:npm/%40shop/cart@2.0.0")
    assert (till.rule, till.aliases) == ("CVE-2099-0001", ("GHSA-1-2-3",))
    assert (cart.tool, cart.confirmed_by, cart.severity) == ("trivy", ("osv",), "critical")
    assert (till.tool, till.confirmed_by, till.severity) == ("trivy", ("pip-audit",), "high")
    assert till.message == "till 0.1.0: coins vanish; fixed in 0.2.0"
    assert gate.summary.startswith("trivy+pip-audit+osv: 2 findings of high or above, first CVE-")
    assert "(found by trivy and osv); examined 2 components, advisories of 20" in gate.summary
    assert not gate.verdict.remarks
    log = json.loads(await get_bytes(gate.weighed.sarif)) if gate.weighed.sarif else {}
    results = {run["tool"]["driver"]["name"]: run["results"] for run in log["runs"]}
    assert [len(results[tool]) for tool in ("trivy", "pip-audit", "osv")] == [2, 0, 0]
    assert results["trivy"][0]["properties"]["confirmedBy"] == ["osv"]


async def test_what_only_one_knows_is_found_and_said(
    tmp_path: Path, service: OsvService, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.advisories = (BAD,)
    gate = await both(
        await question(tmp_path), advisory_database(tmp_path / "trivy", CART), monkeypatch
    )

    assert gate.state == "failed"
    assert {each.tool for each in gate.verdict.blocking} == {"trivy", "pip-audit"}
    assert set(gate.verdict.remarks) == {
        "only trivy knows CVE-2099-0002 of pkg:npm/%40shop/cart@2.0.0",
        "only pip-audit knows CVE-2099-0001 of pkg:pypi/till@0.1.0",
    }


async def test_what_neither_knows_passes_with_both_named(
    tmp_path: Path, service: OsvService, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.advisories = ()
    gate = await both(await question(tmp_path), advisory_database(tmp_path / "trivy"), monkeypatch)

    assert gate.state == "passed", gate.summary
    assert gate.summary.startswith("trivy+pip-audit+osv: nothing found; examined 2 components, adv")
    assert gate.summary.endswith(", advisories of an OSV service")
    assert service.single == [
        {"package": {"name": "till", "ecosystem": "PyPI"}, "version": "0.1.0"}
    ]
    assert service.queries == [
        {"package": {"name": "@shop/cart", "ecosystem": "npm"}, "version": "2.0.0"},
        {"package": {"name": "till", "ecosystem": "PyPI"}, "version": "0.1.0"},
    ]


@pytest.mark.parametrize("name", ["CVE-2099-0001", "GHSA-1-2-3"])
async def test_a_finding_of_the_service_is_waived_by_any_of_its_names(
    tmp_path: Path, service: OsvService, name: str
) -> None:
    service.advisories = (replace(BAD, package="@shop/cart", vulnerable="<9", ecosystem="npm"),)
    gate = await alone(await question(tmp_path, more=waiving(name), components=[CART_2]))

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
        asked.stage, await scan_dependencies(asked), *await audit_dependencies(asked)
    )

    assert gate.state == "skipped"
    assert gate.summary == (
        "trivy: no database of advisories, REGREEN_TRIVY_DATABASE is unset; "
        "osv: no service to ask, REGREEN_OSV_URL is unset"
    )


async def test_a_severity_that_the_record_does_not_tell_blocks(
    tmp_path: Path, service: OsvService
) -> None:
    advisory = Advisory("CVE-2099-1", "@shop/cart", "<9", "9", "UNKNOWN", ecosystem="npm")
    service.advisories = (advisory,)
    asked = await question(tmp_path, components=[CART_2], security={"vulnerabilities": "critical"})
    gate = await alone(asked)

    assert gate.state == "failed", gate.summary
    assert gate.verdict.blocking[0].severity == "unknown"


async def test_two_records_of_one_vulnerability_are_one_finding(
    tmp_path: Path, service: OsvService
) -> None:
    second = Advisory("CVE-2099-0001", "till", "<9", "9", "UNKNOWN", osv="PYSEC-2099-7")
    service.advisories = (BAD, second)
    gate = await alone(await question(tmp_path, components=PYTHON))

    (finding,) = gate.verdict.blocking
    assert (finding.rule, finding.severity) == ("CVE-2099-0001", "high")
    assert set(finding.aliases) == {"GHSA-1-2-3", "PYSEC-2099-7"}


async def test_an_answer_of_several_pages_is_read_to_its_end(
    tmp_path: Path, service: OsvService
) -> None:
    service.page = 1
    service.advisories = tuple(
        Advisory(f"CVE-2099-{number:04}", "@shop/cart", "<9", "9", "LOW", ecosystem="npm")
        for number in range(3)
    )
    asked = await question(tmp_path, components=[CART_2], security={"vulnerabilities": "low"})
    gate = await alone(asked)

    assert {each.rule for each in gate.verdict.blocking} == {
        "CVE-2099-0000",
        "CVE-2099-0001",
        "CVE-2099-0002",
    }


async def test_a_page_that_pip_audit_does_not_read_is_missed(
    tmp_path: Path, service: OsvService
) -> None:
    service.page = 1
    second = Advisory("CVE-2099-0003", "till", "<9", "9", "CRITICAL")
    service.advisories = (BAD, second)
    gate = await alone(await question(tmp_path, components=PYTHON))

    assert gate.state == "failed"
    assert gate.summary.startswith(
        "pip-audit: does not report CVE-2099-0003 of till 0.1.0, as osv does"
    )


async def test_a_service_in_trouble_is_asked_again(tmp_path: Path, service: OsvService) -> None:
    service.failures = 1
    gate = await alone(await question(tmp_path, components=[CART_2]))

    assert len(gate.verdict.blocking) == 1


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

    monkeypatch.setattr(osv, "_TRIES", 1)
    monkeypatch.setenv("REGREEN_OSV_URL", "http://127.0.0.1:9")
    gate = await alone(await question(tmp_path / "gone"))
    assert gate.state == "failed"
    assert "cannot be reached" in gate.summary


async def test_two_versions_of_a_package_are_both_audited(
    tmp_path: Path, service: OsvService
) -> None:
    components = ["pkg:pypi/till@0.1.0", "pkg:pypi/till@0.3.0", "pkg:pypi/drawer@1.0%2Blocal"]
    gate = await alone(await question(tmp_path, components=components))

    assert [each.subject for each in gate.verdict.blocking] == ["pkg:pypi/till@0.1.0"]
    assert "; examined 3 components" in gate.summary
    assert sorted(each["version"] for each in service.single) == ["0.1.0", "0.3.0", "1.0+local"]


async def test_a_name_that_is_no_requirement_is_not_asked_about(
    tmp_path: Path, service: OsvService
) -> None:
    components = ["pkg:pypi/till%0A--index-url%3Dx@0.1.0"]
    gate = await alone(await question(tmp_path, components=components))

    assert gate.state == "failed"
    assert gate.summary.startswith("pip-audit: cannot be asked about pkg:pypi/till%0A--index-url")
    assert not service.single


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((200, b"<html>"), "JSONDecodeError: Expecting value: line 1 column 1 (char 0)"),
        ((200, b"[]"), "does not report GHSA-1-2-3 of till 0.1.0, as osv does"),
        ((503, b""), "HTTPError: 503 Server Error: Service Unavailable for url: /v1/query"),
        (
            (200, b'{"vulns": [{"id": "GHSA-1-2-3", "schema_version": "9.0"}]}'),
            "does not report GHSA-1-2-3 of till 0.1.0, as osv does",
        ),
        (
            (
                200,
                b'{"vulns": [{"id": "GHSA-8", "affected": []}, '
                b'{"id": "GHSA-1-2-3", "affected": []}]}',
            ),
            "reports GHSA-8 of till 0.1.0, which osv does not name",
        ),
    ],
)
async def test_an_answer_that_pip_audit_cannot_take_fails_the_gate(
    tmp_path: Path,
    service: OsvService,
    monkeypatch: pytest.MonkeyPatch,
    answer: tuple[int, bytes],
    reason: str,
) -> None:
    monkeypatch.setattr(pip_audit, "_TRIES", 1)
    service.answers["/v1/query"] = answer
    gate = await alone(await question(tmp_path, more=waiving("CVE-2099-0001"), components=PYTHON))

    assert gate.state == "failed"
    assert gate.summary.startswith("pip-audit: ")
    assert reason in gate.summary


def standing_in(monkeypatch: pytest.MonkeyPatch, folder: Path, behaviour: str) -> None:
    """Put a shell script, which knows where its report is wanted, in pip-audit's place."""
    program = folder / "tool" / "bin" / "pip-audit"
    program.parent.mkdir(parents=True)
    find_report = 'for A in "$@"; do [ "$P" = --output ] && REPORT="$A"; P="$A"; done'
    program.write_text(f"#!/bin/sh\n{find_report}\n{behaviour}\n")
    program.chmod(0o755)
    monkeypatch.setattr(dependency_audit, "find", lambda _name: program)
    monkeypatch.setattr(dependency_audit, "version", lambda _name, _path: "0.0")
    monkeypatch.setattr(pip_audit, "_TRIES", 1)


_TILL = '{"name": "till", "version": "0.1.0", "vulns": []}'
_OTHER = '{"name": "drawer", "version": "1.0", "vulns": []}'
_BROKEN = (
    '{"name": "till", "version": "0.1.0", "vulns": '
    '[{"id": "GHSA-1-2-3", "aliases": [], "fix_versions": [], "description": ""}]}'
)


def report(*answers: str) -> str:
    return f"echo '{{\"dependencies\": [{', '.join(answers)}]}}' > $REPORT"


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("echo garbage > $REPORT", "no readable report"),
        ("exit 0", "ended with code 0 and no report: no output"),
        ("echo 'No known vulnerabilities found'", "ended with code 0 and no report: No known"),
        ("echo 'X.Error: boom'; exit 1", "ended with code 1 and no report: X.Error: boom"),
        ("kill -SEGV $$", "ended with code 139 and no report"),
        ("ln -s /etc/hostname $REPORT", "ended with code 0 and no report"),
        ("echo '{}' > $REPORT", "no readable report"),
        (report(), "answered about 0 of 1 component, left out till 0.1.0"),
        (report(_OTHER), "answered about 1 of 1 component, left out till 0.1.0"),
        (report(_TILL, _OTHER), "answered about 2 of 1 component, was not asked about drawer 1.0"),
        (
            report('{"name": "till", "skip_reason": "not found"}'),
            "skipped till: not found",
        ),
        (report(_TILL) + "; exit 1", "ended with code 1 and reported 0 vulnerabilities"),
        (report(_BROKEN), "ended with code 0 and reported 1 vulnerabilities"),
        ("sleep 60", "did not end within `security.timeout`"),
    ],
)
async def test_a_pip_audit_that_misbehaves_fails_the_gate(
    tmp_path: Path,
    service: OsvService,
    monkeypatch: pytest.MonkeyPatch,
    behaviour: str,
    reason: str,
) -> None:
    standing_in(monkeypatch, tmp_path, behaviour)
    service.advisories = ()
    gate = await alone(await question(tmp_path, components=PYTHON, security={"timeout": 5}))

    assert gate.state == "failed"
    assert gate.summary.startswith(f"pip-audit: {reason}")


async def test_pip_audit_is_started_again_when_the_service_was_in_trouble(
    tmp_path: Path, service: OsvService
) -> None:
    service.failing_queries = 1
    gate = await alone(await question(tmp_path, components=PYTHON))

    assert gate.verdict.blocking[0].rule == "CVE-2099-0001"
    assert len(service.single) == 2


async def test_where_pip_audit_is_missing_there_is_no_second_opinion(
    tmp_path: Path, service: OsvService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dependency_audit, "find", lambda _name: None)
    database = advisory_database(tmp_path / "trivy")
    service.advisories = ()
    gate = await both(await question(tmp_path, components=PYTHON), database, monkeypatch)

    assert gate.state == "passed", gate.summary
    assert gate.summary.startswith("trivy: nothing found; examined 1 component, ")
    assert gate.verdict.remarks == (
        "no second opinion: pip-audit not found, `regreen tools install`",
    )
    for required in ("osv", "pip-audit", "security"):
        asked = await question(tmp_path / required, components=PYTHON, require=[required])
        gate = await both(asked, database, monkeypatch)
        assert (gate.state, "pip-audit not found" in gate.summary) == ("failed", True)


async def test_pip_audit_sees_no_secret_and_nothing_of_the_repository(
    tmp_path: Path, service: OsvService, monkeypatch: pytest.MonkeyPatch
) -> None:
    standing_in(
        monkeypatch,
        tmp_path,
        'echo "Seen: $NO_PROXY$(env | grep hunter2)$(ls -d /workspace 2>/dev/null)"; exit 1',
    )
    monkeypatch.setenv("PIP_INDEX_URL", "https://user:hunter2@index.invalid/simple")
    monkeypatch.setenv("OPENAI_API_KEY", "hunter2")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    gate = await alone(await question(tmp_path, components=PYTHON))

    assert gate.scan.problem == "ended with code 1 and no report: Seen: 127.0.0.1"
