"""The coverage stage: what the test stages ran of the code, together."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.coverage_gate import CoverageRequest, measure_coverage
    from activities.gate_weighing import weigh_gates
    from regreen.contracts.run import StageReport
    from regreen.roles import Role
    from workflows.calls import call
    from workflows.gates import judged_gates
    from workflows.line import Line


async def execute(line: Line) -> StageReport:
    """Compare the coverage of all test stages with the thresholds."""
    if line.pipeline.coverage is None:
        return StageReport(name="coverage", state="skipped", summary="switched off")
    scan = await call(
        "runner",
        measure_coverage,
        CoverageRequest(**line.stage_request("coverage").model_dump(), reports=dict(line.coverage)),
        summary=f"coverage of {', '.join(line.coverage) or 'nothing'}",
        timeout=300,
    )
    return await judged_gates(line, "coverage", scan)


ACTIVITIES: dict[Role, list[object]] = {"runner": [measure_coverage, weigh_gates]}
