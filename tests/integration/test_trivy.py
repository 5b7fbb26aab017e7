"""Known vulnerabilities with real trivy and syft, over advisories of the test's own."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from activities.artifact_store import get_bytes
from activities.dependency_list import list_dependencies
from activities.trivy import scan_dependencies
from regreen.contracts.dependencies import DependencyRequest
from regreen.contracts.gates import Scan
from regreen.contracts.run import StageRequest
from regreen.pipeline_file import Pipeline
from regreen.tools.locate import find
from tests.doubles.advisory_database import Advisory, advisory_database
from tests.integration.gate_repository import Files, Gate, stage_request, weighed

PROJECT: Files = {
    "pyproject.toml": (
        '[build-system]\nrequires = ["hatchling>=1.27"]\nbuild-backend = "hatchling.build"\n\n'
        '[project]\nname = "till-of-the-test"\nversion = "0.1.0"\n\n'
        '[tool.hatch.build.targets.wheel]\npackages = ["till"]\n'
    ),
    "till/__init__.py": "",
}
BAD = Advisory("CVE-2099-0001", "till-of-the-test", "<0.2.0", "0.2.0", "HIGH", "coins vanish")
pytestmark = pytest.mark.usefixtures("shared_environments")


async def scanned(request: StageRequest) -> Scan:
    listed = await list_dependencies(request)
    assert listed.bill is not None, listed.scan.problem
    return await scan_dependencies(DependencyRequest(stage=request, bill=listed.bill))


async def scan(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *advisories: Advisory,
    age: timedelta = timedelta(),
    more: Files | None = None,
    **security: object,
) -> Gate:
    database = advisory_database(folder / "advisories", *advisories, age=age)
    monkeypatch.setenv("REGREEN_TRIVY_DATABASE", str(database))
    pipeline = Pipeline.model_validate({"security": security})
    files = {**PROJECT, **(more or {})}
    request = await stage_request(folder / "repository", "security", pipeline, [files])
    return await weighed(request, await scanned(request))


async def test_a_vulnerable_component_fails_with_package_and_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = await scan(tmp_path, monkeypatch, BAD)

    assert gate.state == "failed", gate.summary
    (finding,) = gate.verdict.blocking
    assert (finding.rule, finding.severity) == ("CVE-2099-0001", "high")
    assert finding.subject == "pkg:pypi/till-of-the-test@0.1.0"
    assert finding.message == "till-of-the-test 0.1.0: coins vanish; fixed in 0.2.0"
    assert "first CVE-2099-0001 at pkg:pypi/till-of-the-test@0.1.0" in gate.summary
    (report,) = gate.artifacts
    assert json.loads(await get_bytes(report))["SchemaVersion"] == 2


async def test_what_is_not_affected_passes_with_the_amount_examined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mended = Advisory("CVE-2099-0002", "till-of-the-test", "<0.1.0", "0.1.0", "CRITICAL")

    gate = await scan(tmp_path, monkeypatch, mended)

    assert gate.state == "passed", gate.summary
    assert gate.scan.examined > 3
    assert f"examined {gate.scan.examined} components, advisories of 20" in gate.summary


@pytest.mark.parametrize(
    ("severity", "limit", "state"),
    [
        ("MEDIUM", "high", "passed"),
        ("MEDIUM", "medium", "failed"),
        ("UNKNOWN", "critical", "failed"),
    ],
)
async def test_the_level_is_configured_and_what_is_unknown_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, severity: str, limit: str, state: str
) -> None:
    found = Advisory("CVE-2099-0003", "till-of-the-test", "<9", "9", severity)

    gate = await scan(tmp_path, monkeypatch, found, vulnerabilities=limit)

    assert gate.state == state, gate.summary


async def test_a_vulnerability_is_waived_for_its_component(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    product = {
        "@id": "pkg:pypi/shop",
        "subcomponents": [{"@id": "pkg:pypi/till-of-the-test"}],
    }
    document = {
        "@context": "https://openvex.dev/ns/v0.2.0",
        "author": "shop team",
        "statements": [
            {
                "vulnerability": {"name": "CVE-2099-0001"},
                "products": [product],
                "status": "not_affected",
                "justification": "vulnerable_code_not_in_execute_path",
                "status_notes": "expires: 2027-01-01",
            }
        ],
    }
    gate = await scan(tmp_path, monkeypatch, BAD, more={".vex/a.json": json.dumps(document)})

    assert gate.state == "waived", gate.summary


async def test_old_advisories_are_a_problem_and_no_clean_bill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = await scan(tmp_path, monkeypatch, age=timedelta(days=365))

    assert gate.state == "failed"
    assert gate.scan.problem == (
        "the database of advisories is 365 days old, `security.database_age` allows 7: "
        "fetch a new one"
    )


async def test_advisories_of_the_future_have_no_age(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = await scan(tmp_path, monkeypatch, age=timedelta(days=-3650))

    assert gate.state == "failed"
    assert gate.summary.startswith("trivy: the database of advisories says that it is of 20")
    assert "which is not yet: its age cannot be known" in gate.summary


async def test_without_a_database_nothing_is_claimed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REGREEN_TRIVY_DATABASE", raising=False)
    request = await stage_request(tmp_path / "repository", "security", Pipeline(), [PROJECT])

    gate = await weighed(request, await scanned(request))

    assert gate.state == "skipped"
    assert gate.summary == "trivy: no database of advisories, REGREEN_TRIVY_DATABASE is unset"


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ("metadata.json", "the metadata of the database of advisories cannot be read"),
        ("trivy.db", "ended with code 1"),
    ],
)
async def test_a_broken_database_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str, reason: str
) -> None:
    database = advisory_database(tmp_path / "advisories", BAD)
    (database / "db" / broken).write_text("garbage")
    monkeypatch.setenv("REGREEN_TRIVY_DATABASE", str(database))
    request = await stage_request(tmp_path / "repository", "security", Pipeline(), [PROJECT])

    gate = await weighed(request, await scanned(request))

    assert gate.state == "failed"
    assert reason in gate.summary


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("echo garbage > $REPORT; exit 0", "no readable report"),
        ("exit 0", "no readable report: no output"),
        ("echo out of memory; exit 137", "ended with code 137: out of memory"),
        ("printf '{}' > $REPORT; exit 7", "ended with code 7 and reported 0 findings"),
        ("printf '{}' > $REPORT; exit 0", "0 components examined"),
        ('echo \'{"Results": [{"Packages": [{}]}]}\' > $REPORT; exit 0', "examined 1 of "),
        ("sleep 60", "did not end within 1 s"),
    ],
)
async def test_a_scanner_that_misbehaves_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, behaviour: str, reason: str
) -> None:
    broken = tmp_path / "trivy"
    find_report = 'for A in "$@"; do [ "$P" = --output ] && REPORT="$A"; P="$A"; done'
    broken.write_text(f"#!/bin/sh\n{find_report}\n{behaviour}\n")
    broken.chmod(0o755)
    monkeypatch.setattr(
        "activities.trivy.find", lambda name: broken if name == "trivy" else find(name)
    )

    gate = await scan(tmp_path, monkeypatch, BAD, timeout=1)

    assert gate.state == "failed"
    assert reason in gate.summary
