"""Gates in a stage: what their scans mean, and the stage's report from it."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.gate_weighing import weigh_gates
    from regreen.contracts.artifacts import ArtifactRef
    from regreen.contracts.gates import GateVerdict, GateWeighing, Scan, WeighedGates
    from regreen.contracts.run import StageReport, StageState
    from workflows.calls import call
    from workflows.line import Line


async def judged_gates(
    line: Line, stage: str, *scans: Scan, more: tuple[ArtifactRef, ...] = ()
) -> StageReport:
    """Weigh the scans and report the stage.

    It failed if any gate failed; it is skipped if all were. A missing tool that `require` names, by
    its own name or the stage's, is a failure, and so is a skipped gate that it names. A waived gate
    passes, and the summary says so.
    """
    weighed = await call(
        "runner",
        weigh_gates,
        GateWeighing(
            stage=stage,
            workspace=line.tree,
            pipeline=line.pipeline,
            scans=scans,
            now=workflow.now().isoformat(),
        ),
        summary=f"weigh {stage}: {', '.join(scan.tool.partition(' ')[0] for scan in scans)}",
        timeout=120,
    )
    verdicts = tuple(_required(line, stage, verdict) for verdict in weighed.verdicts)
    line.waived += [verdict for verdict in verdicts if verdict.reopens]
    line.waivers += [weighed.waivers] if weighed.waivers else []
    states = {verdict.state for verdict in verdicts}
    state: StageState = "passed" if states & {"passed", "waived"} else "skipped"
    if "failed" in states:
        state = "failed"
    kept = [ref for scan in scans for ref in (*scan.artifacts, scan.all_findings) if ref]
    sarif = [weighed.sarif] if weighed.sarif else []
    return StageReport(
        name=stage,
        state=state,
        summary="; ".join(
            [*(verdict.summary for verdict in verdicts), *_score(line, stage, weighed)]
        ),
        artifacts=(*kept, *sarif, *more),
        gates=verdicts,
        reused=tuple(f"{scan.tool}: {scan.reused}" for scan in scans if scan.reused),
    )


def why_failed(report: StageReport) -> str:
    """What a failed stage's failed gates say, or all that it says when it failed without one."""
    failed = [verdict.summary for verdict in report.gates if verdict.state == "failed"]
    return "; ".join(failed) or report.summary


def _score(line: Line, stage: str, weighed: WeighedGates) -> list[str]:
    if stage != "security" or line.pipeline.security is None:
        return []
    if weighed.score is None:
        return ["no security score, since not every scan did its work"]
    wanted = line.pipeline.security.score
    below = f", below {wanted}" if weighed.score < wanted else ""
    return [f"security score {weighed.score} of 100{below}"]


def _required(line: Line, stage: str, verdict: GateVerdict) -> GateVerdict:
    if verdict.state != "skipped":
        return verdict
    needed: set[str] = {verdict.gate}
    if verdict.missing_tool:
        needed |= {verdict.missing_tool, stage}
    if needed & set(line.pipeline.require):
        return verdict.model_copy(update={"state": "failed"})
    return verdict
