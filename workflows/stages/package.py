"""The package stage: wheel and sdist, then the bills of materials of what gets installed."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.packaging import package_distribution
    from activities.syft import write_bills_of_materials
    from regreen.contracts.release import BillOfMaterialsRequest
    from regreen.contracts.run import StageReport
    from regreen.roles import Role
    from workflows.calls import call
    from workflows.line import Line


async def execute(line: Line) -> StageReport:
    """Build once; what is released later are these very bytes."""
    section = line.pipeline.package
    if section is None:
        return StageReport(name="package", state="skipped", summary="switched off")
    request, timeout = line.stage_request("package"), 2 * section.timeout + 60
    built = await call(
        "runner", package_distribution, request, summary="uv build wheel and sdist", timeout=timeout
    )
    wheel = next((ref for ref in built.artifacts if ref.name.endswith(".whl")), None)
    if built.state != "passed" or wheel is None:
        return line.judged("package", built)
    described = await call(
        "runner",
        write_bills_of_materials,
        BillOfMaterialsRequest(workspace=line.tree, pipeline=line.pipeline, wheel=wheel),
        summary=f"syft {wheel.name}",
        timeout=timeout,
    )
    line.packages = [*built.artifacts, *described.artifacts]
    return line.judged("package", built, described)


ACTIVITIES: dict[Role, list[object]] = {"runner": [package_distribution, write_bills_of_materials]}
