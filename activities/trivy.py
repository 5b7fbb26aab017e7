"""The security stage's search for known vulnerabilities: trivy over the list of dependencies.

trivy looks the components up in a database of advisories that the operator keeps, without network.
It ends with 0 whatever it finds unless it is told otherwise, so its exit code and its report have
to agree.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError
from temporalio import activity

from activities.artifact_store import get_bytes, get_file, put_bytes
from activities.components import components_of
from activities.finding import Fingerprints, kept, one_line, worst_first
from activities.process import Completed
from activities.result_file import read_result
from activities.sandbox import Mount, Sandbox, inside, isolation, require_isolation, run_sandboxed
from activities.waivers import moment
from activities.workspace import private_folder
from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.dependencies import DependencyRequest
from regreen.contracts.gates import FINDINGS_IN_SCAN, Finding, Scan, Severity
from regreen.pipeline_file import SecuritySection
from regreen.settings import load_settings
from regreen.tools.locate import find, version

_FOUND = 7
_CACHE = "/tmp/trivy"
_SEVERITIES: dict[str, Severity] = {
    "LOW": "low",
    "MEDIUM": "medium",
    "HIGH": "high",
    "CRITICAL": "critical",
}


class _Database(BaseModel):
    updated: datetime = Field(alias="UpdatedAt")


class _Identifier(BaseModel):
    purl: str = Field(alias="PURL", default="")


class _Vulnerability(BaseModel):
    rule: str = Field(alias="VulnerabilityID")
    package: str = Field(alias="PkgName")
    identifier: _Identifier = Field(alias="PkgIdentifier", default_factory=_Identifier)
    installed: str = Field(alias="InstalledVersion", default="")
    fixed: str = Field(alias="FixedVersion", default="")
    severity: str = Field(alias="Severity", default="UNKNOWN")
    title: str = Field(alias="Title", default="")


class _Result(BaseModel):
    packages: list[dict[str, Any]] = Field(alias="Packages", default_factory=list)
    vulnerabilities: list[_Vulnerability] = Field(alias="Vulnerabilities", default_factory=list)


class _Report(BaseModel):
    results: list[_Result] = Field(alias="Results", default_factory=list)


@activity.defn
async def scan_dependencies(request: DependencyRequest) -> Scan:
    """Look the components of the bill up in the operator's database of advisories.

    Without a database there is nothing that could be said, and the scan says that. One that is
    older than `security.database_age` is a problem.
    """
    section = request.stage.pipeline.security or SecuritySection()
    require_isolation(request.stage.pipeline.sandbox == "required")
    trivy = find("trivy")
    if trivy is None:
        return _scan(missing_tool="trivy")
    database = load_settings().trivy_database
    if database is None:
        return _scan(
            nothing_to_do="trivy: no database of advisories, REGREEN_TRIVY_DATABASE is unset"
        )
    updated = _updated(database)
    if isinstance(updated, str):
        return _scan(problem=updated)
    problem = _not_of_now(updated, section)
    figures = f"advisories of {updated:%Y-%m-%d}"
    if problem:
        return _scan(problem=problem, figures=figures)
    with private_folder() as folder:
        scan = await _examined(trivy, request.bill, database, folder, section)
    return scan.model_copy(
        update={"figures": figures, "tool": f"trivy {version('trivy', trivy) or ''}".strip()}
    )


def _scan(**found: Any) -> Scan:
    return Scan(gate="dependencies", tool="trivy", unit="component", **found)


def _updated(database: Path) -> datetime | str:
    """When the database was made, or why it cannot be used."""
    data = read_result(database / "db" / "metadata.json")
    if data is None or not (database / "db" / "trivy.db").is_file():
        return f"no database of advisories in {database.name}: `db/trivy.db` and `db/metadata.json`"
    try:
        return moment(_Database.model_validate_json(data).updated.isoformat())
    except ValidationError:
        return "the metadata of the database of advisories cannot be read"


def _not_of_now(updated: datetime, section: SecuritySection) -> str:
    days = (datetime.now(UTC) - updated).total_seconds() / 86400
    allowed = section.database_age / 86400
    if days < -1:
        return (
            f"the database of advisories says that it is of {updated:%Y-%m-%d}, which is not yet: "
            "its age cannot be known, fetch a new one"
        )
    if days <= allowed:
        return ""
    return (
        f"the database of advisories is {round(days, 1):g} days old, `security.database_age` "
        f"allows {allowed:g}: fetch a new one"
    )


async def _examined(
    trivy: Path, bill: ArtifactRef, database: Path, folder: Path, section: SecuritySection
) -> Scan:
    results = folder / "results"
    results.mkdir()
    await get_file(bill, results / bill.name)
    sandbox = Sandbox(
        results=results,
        mounts=(Mount(trivy, str(trivy)), Mount(database / "db", f"{_CACHE}/db")),
    )
    # trivy keeps more in its cache than the database, which nobody here may write to.
    cache = _CACHE if isolation().kind == "bubblewrap" else str(database)
    report = results / "trivy.json"
    done = await run_sandboxed(
        sandbox,
        [
            *(str(trivy), "sbom", "--quiet", "--cache-dir", cache),
            *("--skip-db-update", "--skip-java-db-update", "--offline-scan"),
            *("--skip-version-check", "--disable-telemetry", "--list-all-pkgs"),
            *("--format", "json", "--exit-code", str(_FOUND)),
            *("--output", inside(sandbox, report), inside(sandbox, results / bill.name)),
        ],
        output=folder / "trivy.log",
        timeout=section.timeout,
        subject="trivy: components",
    )
    if done.timed_out:
        return _scan(problem=f"did not end within {section.timeout:g} s")
    if done.code not in (0, _FOUND):
        return _scan(problem=f"ended with code {done.code}: {_last_line(done)}")
    data = read_result(report)
    try:
        found = _Report.model_validate_json(data if data is not None else b"")
    except ValidationError:
        return _scan(problem=f"no readable report: {_last_line(done)}")
    findings = worst_first(_findings(found), section.vulnerabilities)
    if bool(findings) != (done.code == _FOUND):
        return _scan(problem=f"ended with code {done.code} and reported {len(findings)} findings")
    examined = sum(len(result.packages) for result in found.results)
    listed = len(components_of(json.loads(await get_bytes(bill))))
    if 0 < examined < listed:
        return _scan(problem=f"examined {examined} of {listed} components", examined=examined)
    return _scan(
        examined=examined,
        findings=tuple(findings[:FINDINGS_IN_SCAN]),
        found=len(findings),
        all_findings=await kept("trivy", findings),
        artifacts=(await put_bytes("trivy.json", data or b"", "application/json"),),
    )


def _findings(report: _Report) -> list[Finding]:
    fingerprints = Fingerprints("trivy")
    found = []
    for each in (one for result in report.results for one in result.vulnerabilities):
        subject = each.identifier.purl or f"pkg:generic/{each.package}@{each.installed}"
        way_out = f"; fixed in {each.fixed}" if each.fixed else "; no fixed version yet"
        found.append(
            Finding(
                tool="trivy",
                rule=each.rule,
                severity=_SEVERITIES.get(each.severity.upper(), "unknown"),
                subject=subject,
                message=one_line(f"{each.package} {each.installed}: {each.title}{way_out}"),
                fingerprint=fingerprints.of(each.rule, subject=subject),
            )
        )
    return found


def _last_line(done: Completed) -> str:
    lines = done.tail().strip().splitlines() or ["no output"]
    return lines[-1][:300]
