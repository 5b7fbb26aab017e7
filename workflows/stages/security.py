"""The security stage: secrets, static analysis and known vulnerabilities, side by side."""

import asyncio

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.bandit import scan_python
    from activities.gate_weighing import weigh_gates
    from activities.gitleaks import scan_secrets
    from activities.opengrep import scan_by_rules
    from activities.trivy import scan_dependencies
    from regreen.contracts.run import StageReport
    from regreen.roles import Role
    from workflows.calls import call
    from workflows.gates import judged_gates
    from workflows.line import Line


async def execute(line: Line) -> StageReport:
    """Scan tree and history for secrets, the sources, and what is installed with them."""
    section = line.pipeline.security
    if section is None:
        return StageReport(name="security", state="skipped", summary="switched off")
    request, timeout = line.stage_request("security"), 2 * section.timeout + 60
    scans = await asyncio.gather(
        call("runner", scan_secrets, request, summary="gitleaks tree and history", timeout=timeout),
        call("runner", scan_python, request, summary="bandit sources", timeout=timeout),
        call("runner", scan_by_rules, request, summary="opengrep sources", timeout=timeout),
        call(
            "runner",
            scan_dependencies,
            request,
            summary="trivy installed components",
            timeout=timeout + line.pipeline.build.timeout,
        ),
    )
    return await judged_gates(line, "security", *scans)


ACTIVITIES: dict[Role, list[object]] = {
    "runner": [scan_secrets, scan_python, scan_by_rules, scan_dependencies, weigh_gates]
}
