"""The build stage."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.build import build_environment
    from regreen.contracts.run import StageReport
    from regreen.roles import Role
    from workflows.calls import call
    from workflows.line import Line


async def execute(line: Line) -> StageReport:
    """Make the environment, compile."""
    verdict = await call(
        "runner",
        build_environment,
        line.stage_request("build"),
        summary="uv: environment, compile",
        timeout=2 * line.pipeline.build.timeout + 60,
    )
    return line.judged("build", verdict)


ACTIVITIES: dict[Role, list[object]] = {"runner": [build_environment]}
