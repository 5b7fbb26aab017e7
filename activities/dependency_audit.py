"""The second opinion on dependencies: a service with OSV's API, which the operator names.

pip-audit asks it about Python components; no such tool asks about JavaScript, so that Regreen does
that itself. Nothing is resolved, installed or run, so nothing of a repository's code is near the
network. pip-audit's report has no severities, and it takes the first page of a long answer, and an
empty list, for all there is. So the service is asked about all components at once as well, its
answers are counted, and pip-audit has to report what they name, and nothing else.
"""

import asyncio
import json
import time
from collections.abc import Sequence
from typing import Any

from temporalio import activity

from activities.artifact_store import get_bytes, put_bytes
from activities.components import ECOSYSTEMS, Component, components_of
from activities.finding import Fingerprints, kept, one_line, worst, worst_first
from activities.heartbeat import heartbeating
from activities.osv import NoAnswer, records_about
from activities.osv_record import Record, fixed_in, in_order, severity_of
from activities.pip_audit import AuditFailed, Vulnerability, audited
from activities.sandbox import require_isolation
from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.dependencies import DependencyRequest
from regreen.contracts.gates import FINDINGS_IN_SCAN, Finding, Scan, Severity
from regreen.pipeline_file import SecuritySection
from regreen.settings import load_settings
from regreen.tools.locate import find, version

_SERVICE = "osv"
_PIP_AUDIT = "pip-audit"
_TITLE = 300

Known = Sequence[tuple[Component, Sequence[Record]]]
"""Components, each with what the service has about it."""


@activity.defn
async def audit_dependencies(request: DependencyRequest) -> list[Scan]:
    """Ask the operator's OSV service about each component of the bill.

    One scan by pip-audit over the Python components, and one over the others; only one where the
    service does not answer, or there is none. A record whose severity cannot be read is of severity
    `unknown`.
    """
    section = request.stage.pipeline.security or SecuritySection()
    require_isolation(request.stage.pipeline.sandbox == "required")
    service = load_settings().osv_url
    if service is None:
        return [_scan(nothing_to_do="osv: no service to ask, REGREEN_OSV_URL is unset")]
    url, began = service.rstrip("/"), time.monotonic()
    components = components_of(json.loads(await get_bytes(request.bill)))
    asked = [each for each in components if each.kind in ECOSYSTEMS]
    try:
        async with asyncio.timeout(section.timeout):
            answers = await heartbeating(records_about(url, asked), f"osv: {len(asked)} components")
    except TimeoutError:
        return [_scan(problem=f"no answer within {section.timeout:g} s")]
    except NoAnswer as error:
        return [_scan(problem=str(error))]
    known = list(zip(asked, answers, strict=True))
    python = [each for each in known if each[0].kind == "pypi"]
    others = [each for each in known if each[0].kind != "pypi"]
    limit, scans = section.vulnerabilities, []
    if python:
        left = section.timeout - (time.monotonic() - began)
        scans.append(await _by_pip_audit(url, python, limit, left))
    if others or not python:
        scans.append(await _by_records(others, limit))
    return [await _with_records(scan, answers) for scan in scans]


async def _by_records(known: Known, limit: Severity) -> Scan:
    fingerprints = Fingerprints(_SERVICE)
    findings = []
    for component, records in known:
        for group in _same(records):
            title = next((record.summary for record in group if record.summary), "no summary")
            names = in_order(name for record in group for name in record.names)
            fixed = fixed_in(group, component)
            findings.append(_finding(fingerprints, component, names, group, title, fixed))
    return await _found(_SERVICE, len(known), findings, limit)


async def _by_pip_audit(url: str, known: Known, limit: Severity, timeout: float) -> Scan:
    program = find(_PIP_AUDIT)
    if program is None:
        return _scan(missing_tool=_PIP_AUDIT)
    asking = asyncio.to_thread(version, _PIP_AUDIT, program)
    tool = f"{_PIP_AUDIT} {await heartbeating(asking, _PIP_AUDIT) or ''}".strip()
    components = [component for component, _ in known]
    try:
        reported = await audited(program, url, components, timeout)
        groups = [
            _agreed(component, records, vulnerabilities)
            for (component, records), vulnerabilities in zip(known, reported, strict=True)
        ]
    except AuditFailed as error:
        return _scan(tool=tool, problem=str(error))
    fingerprints = Fingerprints(_PIP_AUDIT)
    findings = [
        _finding(
            fingerprints,
            component,
            in_order([*each.names, *(name for record in records for name in record.names)]),
            records,
            each.description,
            each.fix_versions,
        )
        for component, vulnerabilities in zip(components, groups, strict=True)
        for each, records in vulnerabilities
    ]
    document = {
        component.purl: [each.model_dump() for each in vulnerabilities]
        for component, vulnerabilities in zip(components, reported, strict=True)
    }
    report = json.dumps(document, indent=1).encode()
    scan = await _found(tool, len(known), findings, limit)
    artifact = await put_bytes("pip-audit.json", report, "application/json")
    return scan.model_copy(update={"artifacts": (artifact,)})


def _agreed(
    component: Component, records: Sequence[Record], vulnerabilities: Sequence[Vulnerability]
) -> list[tuple[Vulnerability, list[Record]]]:
    """Each vulnerability with its records. Raises AuditFailed where one side knows more."""
    place = f"{component.name} {component.version}"
    together = [
        (each, [record for record in records if not {*each.names}.isdisjoint(record.names)])
        for each in vulnerabilities
    ]
    reported = {record.id for _, its_own in together for record in its_own}
    for record in records:
        if record.id not in reported:
            raise AuditFailed(one_line(f"does not report {record.id} of {place}, as osv does"))
    for each, its_own in together:
        if not its_own:
            raise AuditFailed(one_line(f"reports {each.id} of {place}, which osv does not name"))
    return together


def _same(records: Sequence[Record]) -> list[list[Record]]:
    """Records of the same vulnerability together: they share a name."""
    groups: list[tuple[set[str], list[Record]]] = []
    for record in records:
        names, members = {record.id, *record.aliases}, [record]
        apart = []
        for group in groups:
            if group[0] & names:
                names |= group[0]
                members = [*group[1], *members]
            else:
                apart.append(group)
        groups = [*apart, (names, members)]
    return [members for _, members in groups]


def _finding(
    fingerprints: Fingerprints,
    component: Component,
    names: Sequence[str],
    records: Sequence[Record],
    title: str,
    fixed: Sequence[str],
) -> Finding:
    rule, *aliases = names
    way_out = f"; fixed in {', '.join(fixed)}" if fixed else "; no fixed version yet"
    told = one_line(title)[:_TITLE]
    return Finding(
        tool=_PIP_AUDIT if component.kind == "pypi" else _SERVICE,
        rule=rule,
        severity=worst(map(severity_of, records)),
        subject=component.purl,
        message=one_line(f"{component.name} {component.version}: {told}{way_out}"),
        fingerprint=fingerprints.of(rule, subject=component.purl),
        aliases=tuple(aliases),
    )


async def _found(tool: str, examined: int, findings: Sequence[Finding], limit: Severity) -> Scan:
    ordered = worst_first(findings, limit)
    return _scan(
        tool=tool,
        examined=examined,
        findings=tuple(ordered[:FINDINGS_IN_SCAN]),
        found=len(ordered),
        all_findings=await kept(tool.partition(" ")[0], ordered),
        figures="advisories of an OSV service",
    )


async def _with_records(scan: Scan, answers: Sequence[Sequence[Record]]) -> Scan:
    """The scan with all records that the service named, each once, as an artifact."""
    if scan.missing_tool or scan.problem:
        return scan
    known = {record.id: record for records in answers for record in records}
    report = json.dumps([known[name].model_dump() for name in sorted(known)], indent=1).encode()
    artifact: ArtifactRef = await put_bytes("osv.json", report, "application/json")
    return scan.model_copy(update={"artifacts": (*scan.artifacts, artifact)})


def _scan(**found: Any) -> Scan:
    return Scan(**{"gate": "dependencies", "tool": _SERVICE, "unit": "component", **found})
