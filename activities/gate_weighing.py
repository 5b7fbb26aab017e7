"""The judgement over what the tools of gates found: policy, waivers, and one SARIF file."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from temporalio import activity

from activities.artifact_store import get_bytes, put_bytes
from activities.cross_check import joined
from activities.finding import level, one_line, worst_first
from activities.sarif import SARIF, counts, sarif_of
from activities.waivers import Waivers, excuse, expired, moment, read_waivers
from activities.workspace import checked_out
from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.gates import (
    Finding,
    GateName,
    GateState,
    GateVerdict,
    GateWeighing,
    Scan,
    Severity,
    WaivedFinding,
    Waiver,
    WeighedGates,
)
from regreen.contracts.source import Workspace
from regreen.counted import counted
from regreen.pipeline_file import LintSection, Pipeline, SecuritySection

_SHOWN = 20
_POINTS: dict[Severity, float] = {"critical": 40, "high": 20, "unknown": 20, "medium": 5, "low": 1}


@activity.defn
async def weigh_gates(request: GateWeighing) -> WeighedGates:
    """Decide what each scan's findings mean, by the pipeline file and the commit's waivers.

    Waivers are those of the commit as it was fetched: a heal cannot excuse anything. All findings
    are kept in one SARIF file, and the waivers that were needed in another file.
    """
    async with checked_out(Workspace(source=request.workspace.source)) as copy:
        waivers = read_waivers(copy)
    now = moment(request.now)
    whole = [await _whole(scan) for scan in request.scans]
    scans = joined(whole, request.stage, request.pipeline.require)
    verdicts = tuple(weigh(scan, request.pipeline, waivers, now) for scan in scans)
    findings = [finding for scan in scans for finding in scan.findings]
    excused = {f.fingerprint: excuse(f, waivers.valid, now) for f in findings}
    waived = {fingerprint: waiver for fingerprint, waiver in excused.items() if waiver}
    made = [scan for scan in request.scans if not scan.nothing_to_do]
    log = await put_bytes(
        f"{request.stage}.sarif",
        sarif_of(made, findings, waived),
        SARIF,
    )
    known = all(counts(scan) for scan in made if not scan.missing_tool)
    score = security_score(findings, waived) if request.stage == "security" and known else None
    needed = [waiver for scan in scans for waiver in _needed(scan, request.pipeline, waived)]
    kept = await _kept(request.stage, needed) if needed else None
    return WeighedGates(verdicts=verdicts, sarif=log, waivers=kept, score=score)


def _needed(scan: Scan, pipeline: Pipeline, waived: Mapping[str, Waiver]) -> list[Waiver]:
    blocking = _at_or_above(scan.findings, blocks_at(scan.gate, pipeline))
    return [waived[each.fingerprint] for each in blocking if each.fingerprint in waived]


async def _kept(stage: str, waivers: Sequence[Waiver]) -> ArtifactRef:
    lines = dict.fromkeys(f"{waiver.model_dump_json()}\n" for waiver in waivers)
    return await put_bytes(f"{stage}.waivers.jsonl", "".join(lines).encode())


async def _whole(scan: Scan) -> Scan:
    """The scan with all of its findings, which are too many to travel with it."""
    if scan.all_findings is None:
        return scan
    lines = (await get_bytes(scan.all_findings)).splitlines()
    return scan.model_copy(update={"findings": tuple(map(Finding.model_validate_json, lines))})


def security_score(findings: Sequence[Finding], waived: Collection[str]) -> int:
    """100 less 40 for each critical finding, 20 for each high, 5 for each medium, 1 for each low.

    One that is unknown counts as high, one that is waived half. At least 0. `waived` has the
    fingerprints. The score informs; what blocks is decided finding by finding.
    """
    lost = sum(
        _POINTS[finding.severity] * (0.5 if finding.fingerprint in waived else 1.0)
        for finding in findings
    )
    return max(0, round(100 - lost))


def blocks_at(gate: GateName, pipeline: Pipeline) -> Severity:
    """The least severity at which a finding of the gate blocks."""
    if gate == "lint":
        return (pipeline.lint or LintSection()).severity
    security = pipeline.security or SecuritySection()
    if gate == "static-analysis":
        return security.severity
    if gate == "dependencies":
        return security.vulnerabilities
    return "low" if gate == "secrets" else "high"


def weigh(scan: Scan, pipeline: Pipeline, waivers: Waivers, now: datetime) -> GateVerdict:
    """The verdict over one scan at a moment."""
    if scan.missing_tool or scan.nothing_to_do:
        summary = scan.nothing_to_do or (
            f"skipped: {scan.missing_tool} not found, `regreen tools install`"
        )
        return GateVerdict(
            gate=scan.gate,
            state="skipped",
            summary=summary,
            missing_tool=scan.missing_tool,
            remarks=scan.remarks,
        )
    examined = counted(scan.examined, scan.unit) if scan.unit else ""
    amount = ", ".join(part for part in (examined, scan.figures) if part)
    problem = scan.problem
    if not problem and scan.examined == 0:
        problem = f"0 {scan.unit or 'thing'}s examined"
    limit = blocks_at(scan.gate, pipeline)
    bad = worst_first(_at_or_above(scan.findings, limit), limit)
    waived, blocking, remarks = _divided(bad, waivers, now)
    remarks = [*scan.remarks, *remarks]
    # What did not travel with the scan was not weighed, and so is not excused.
    unseen = scan.found - len(scan.findings)
    if unseen > 0 and len(bad) == len(scan.findings):
        remarks.append(f"{unseen} more findings are not shown and not waived")
    state = _state(problem, blocking, waived, unseen if len(bad) == len(scan.findings) else 0)
    verdict = GateVerdict(
        gate=scan.gate,
        state=state,
        summary=_summary(scan, state, problem, blocking, waived, amount, limit),
        examined=examined,
        blocking=tuple(blocking[:_SHOWN]),
        waived=tuple(waived[:_SHOWN]),
        remarks=(*remarks, *waivers.remarks),
        reused=scan.reused,
    )
    if not waived:
        return verdict
    reopens = min((one.waiver.expires for one in waived), key=moment)
    return verdict.model_copy(update={"reopens": moment(reopens).isoformat()})


def _at_or_above(findings: Iterable[Finding], limit: Severity) -> list[Finding]:
    return [each for each in findings if level(each.severity, limit) >= level(limit, limit)]


def _divided(
    bad: list[Finding], waivers: Waivers, now: datetime
) -> tuple[list[WaivedFinding], list[Finding], list[str]]:
    waived, blocking, remarks = [], [], []
    for finding in bad:
        waiver = excuse(finding, waivers.valid, now)
        if waiver is not None:
            waived.append(WaivedFinding(finding=finding, waiver=waiver))
            continue
        blocking.append(finding)
        ended = expired(finding, waivers.valid, now)
        if ended is not None:
            remarks.append(
                f"the waiver of {finding.rule} by {ended.owner} ended on {ended.expires}"
                f" ({ended.document})"
            )
    return waived, blocking, list(dict.fromkeys(remarks))


def _state(
    problem: str, blocking: list[Finding], waived: list[WaivedFinding], unseen: int
) -> GateState:
    if problem or blocking or unseen > 0:
        return "failed"
    return "waived" if waived else "passed"


def _summary(
    scan: Scan,
    state: str,
    problem: str,
    blocking: list[Finding],
    waived: list[WaivedFinding],
    amount: str,
    limit: Severity,
) -> str:
    parts = []
    if blocking:
        first = blocking[0]
        place = f" at {first.place}" if first.place else ""
        found = max(len(blocking), scan.found - len(waived)) if limit == "low" else len(blocking)
        grade = "" if limit == "low" else f" of {limit} or above"
        parts.append(
            f"{counted(found, 'finding')}{grade}, first {first.rule}{place}: {first.message}"
            f"{first.finders}"
        )
    if problem:
        parts.append(problem)
    if waived:
        one = waived[0]
        until = f"by {one.waiver.owner} until {one.waiver.expires}"
        parts.append(f"{counted(len(waived), 'finding')} waived, first {one.finding.rule} {until}")
    if state == "passed":
        below = len(scan.findings)
        parts.append(f"{below} below {limit}" if below else "nothing found")
    if amount:
        parts.append(f"examined {amount}")
    if scan.reused:
        parts.append(f"reused from {scan.reused}")
    return one_line(f"{scan.tool.partition(' ')[0]}: {'; '.join(parts)}")
