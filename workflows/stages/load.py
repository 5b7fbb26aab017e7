"""The load stage."""

import contextlib

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.gate_weighing import weigh_gates
    from activities.k6 import SUMMARY_FILE, run_load_test
    from activities.load_baseline import AcceptedLoad, accept_load
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


async def accept(line: Line, report: StageReport) -> None:
    """Let later runs of the ref be compared with this one, which has passed or was released."""
    measured = [ref for ref in report.artifacts if ref.name == SUMMARY_FILE]
    if report.state != "passed" or not measured:
        return
    request = line.request
    # What is published stays published, whether this can be kept or not.
    with contextlib.suppress(ActivityError):
        await call(
            "runner",
            accept_load,
            AcceptedLoad(
                repository=request.repository,
                ref=request.ref,
                commit=request.commit,
                summary=measured[0],
            ),
            summary=f"load of {request.ref} accepted",
            timeout=60,
            within=300,
        )


ACTIVITIES: dict[Role, list[object]] = {"runner": [run_load_test, weigh_gates, accept_load]}
