"""The coverage stage: what the test stages ran of the code, together."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.coverage_gate import CoverageRequest, measure_coverage
    from activities.gate_weighing import weigh_gates
    from activities.test_stage import run_tests
    from regreen.contracts.run import StageReport
    from regreen.roles import Role
    from workflows.calls import call
    from workflows.gates import judged_gates
    from workflows.line import Line


async def execute(line: Line) -> StageReport:
    """Compare the coverage of all test stages with the thresholds."""
    if line.pipeline.coverage is None:
        return StageReport(name="coverage", state="skipped", summary="switched off")
    await _measure_again(line)
    scan = await call(
        "runner",
        measure_coverage,
        CoverageRequest(
            **line.stage_request("coverage").model_dump(),
            reports=dict(line.coverage),
            unhealed=dict(line.unhealed_coverage) if line.heals else {},
        ),
        summary=f"coverage of {', '.join(line.coverage) or 'nothing'}",
        timeout=300,
    )
    return await judged_gates(line, "coverage", scan)


async def _measure_again(line: Line) -> None:
    """Run stages once more whose code a later stage's heal has changed since they were measured."""
    for stage, tree in line.measured_on.items():
        section = line.pipeline.tests(stage)
        if tree == line.tree.fingerprint or section is None:
            continue
        report = await call(
            "runner",
            run_tests,
            line.stage_request(stage),
            summary=f"{section.tool} {stage}: coverage of the healed tree",
            timeout=section.timeout + line.pipeline.build.timeout + 60,
        )
        if report.coverage is not None:
            line.coverage[stage] = report.coverage


ACTIVITIES: dict[Role, list[object]] = {"runner": [measure_coverage, run_tests, weigh_gates]}
