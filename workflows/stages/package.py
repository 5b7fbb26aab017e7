"""The package stage: each kind of package, then the bills of materials of what gets installed."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.gate_weighing import weigh_gates
    from activities.package_outputs import PackageCommandRequest, package_by_command
    from activities.packaging import package_distribution
    from activities.pyinstaller import package_executable
    from activities.syft import write_bills_of_materials
    from activities.wordpress_plugin import package_wordpress_plugin
    from regreen.contracts.gates import Scan
    from regreen.contracts.release import BillOfMaterialsRequest
    from regreen.contracts.run import StageReport
    from regreen.pipeline_file import PackageSection
    from regreen.roles import Role
    from workflows.calls import call
    from workflows.gates import judged_gates
    from workflows.line import Line


async def execute(line: Line) -> StageReport:
    """Build, and what is released later are these very bytes."""
    section = line.pipeline.package
    if section is None:
        return StageReport(name="package", state="skipped", summary="switched off")
    scans = await asyncio.gather(*_packagers(line, section))
    made = [ref for scan in scans for ref in scan.artifacts if ref.media_type != "text/plain"]
    report = await judged_gates(line, "package", *scans)
    wheel = next((ref for ref in made if ref.name.endswith(".whl")), None)
    if report.state != "passed" or wheel is None:
        line.packages = made if report.state == "passed" else []
        return report
    described = await call(
        "runner",
        write_bills_of_materials,
        BillOfMaterialsRequest(
            workspace=line.tree, pipeline=line.pipeline, wheel=wheel, reuse=line.request.reuse
        ),
        summary=f"syft {wheel.name}",
        timeout=2 * section.timeout + 60,
    )
    listed = line.judged("package", described)
    line.packages = [*made, *described.artifacts]
    return report.model_copy(
        update={
            "state": "failed" if listed.state == "failed" else report.state,
            "summary": f"{report.summary}; {listed.summary}",
            "artifacts": (*report.artifacts, *described.artifacts),
            "reused": (*report.reused, *listed.reused),
        }
    )


def _packagers(line: Line, section: PackageSection) -> list[Coroutine[Any, Any, Scan]]:
    """The calls that make packages; the wheel's also where the repository may have none."""
    request = line.stage_request("package")
    # Everything is installed once and built twice, then tried.
    timeout = 4 * section.timeout + line.pipeline.build.timeout + 120
    calls = []
    if section.executable is not None:
        summary = f"pyinstaller {section.executable.name}"
        calls.append(call("runner", package_executable, request, summary=summary, timeout=timeout))
    if section.wordpress is not None:
        calls.append(
            call(
                "runner",
                package_wordpress_plugin,
                request,
                summary="wordpress plugin zip",
                timeout=timeout,
            )
        )
    for number, wanted in enumerate(section.commands):
        calls.append(
            call(
                "runner",
                package_by_command,
                PackageCommandRequest(stage=request, number=number),
                summary=f"package {' '.join(wanted.command)[:60]}",
                timeout=timeout,
            )
        )
    summary = "uv build wheel and sdist"
    distribution = call("runner", package_distribution, request, summary=summary, timeout=timeout)
    return [distribution, *calls]


ACTIVITIES: dict[Role, list[object]] = {
    "runner": [
        package_distribution,
        package_executable,
        package_wordpress_plugin,
        package_by_command,
        write_bills_of_materials,
        weigh_gates,
    ]
}
