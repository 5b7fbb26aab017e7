"""The load stage."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.gate_weighing import weigh_gates
    from activities.k6 import run_load_test
    from regreen.contracts.run import StageReport
    from regreen.roles import Role
    from workflows.calls import call
    from workflows.gates import judged_gates
    from workflows.line import Line


async def execute(line: Line) -> StageReport:
    """Load the service with k6."""
    section = line.pipeline.load
    if section is None:
        return StageReport(name="load", state="skipped", summary="no load test configured")
    ready = section.service.timeout if section.service else 0
    scan = await call(
        "runner",
        run_load_test,
        line.stage_request("load"),
        summary=f"k6 {section.script}",
        timeout=section.timeout + ready + line.pipeline.build.timeout + 60,
    )
    return await judged_gates(line, "load", scan)


ACTIVITIES: dict[Role, list[object]] = {"runner": [run_load_test, weigh_gates]}
