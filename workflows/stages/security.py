"""The security stage: secrets, static analysis and dependencies, side by side."""

import asyncio
import contextlib

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.accepted_dependencies import accept_dependencies
    from activities.bandit import scan_python
    from activities.dependency_audit import audit_dependencies
    from activities.dependency_list import BILL_FILE, list_dependencies
    from activities.dependency_review import review_dependencies
    from activities.gate_weighing import weigh_gates
    from activities.gitleaks import scan_secrets
    from activities.opengrep import scan_by_rules
    from activities.trivy import scan_dependencies
    from regreen.contracts.dependencies import (
        AcceptedDependencies,
        DependencyRequest,
        DependencyReviewRequest,
    )
    from regreen.contracts.gates import Scan
    from regreen.contracts.run import StageReport
    from regreen.roles import Role
    from workflows.calls import call
    from workflows.gates import judged_gates
    from workflows.line import Line


async def execute(line: Line) -> StageReport:
    """Scan tree and history for secrets, the sources, and what the repository depends on."""
    section = line.pipeline.security
    if section is None:
        return StageReport(name="security", state="skipped", summary="switched off")
    request, timeout = line.stage_request("security"), 2 * section.timeout + 60
    *scans, dependencies = await asyncio.gather(
        call("runner", scan_secrets, request, summary="gitleaks tree and history", timeout=timeout),
        call("runner", scan_python, request, summary="bandit sources", timeout=timeout),
        call("runner", scan_by_rules, request, summary="opengrep sources", timeout=timeout),
        _dependencies(line, timeout),
    )
    return await judged_gates(line, "security", *scans, *dependencies)


async def _dependencies(line: Line, timeout: float) -> list[Scan]:
    """List the dependencies, have two opinions on them, and review what has changed."""
    request = line.stage_request("security")
    listed = await call(
        "runner",
        list_dependencies,
        request,
        summary="syft dependencies",
        timeout=timeout + line.pipeline.build.timeout,
    )
    found: list[Scan] = [listed.scan]
    if listed.bill is not None:
        question = DependencyRequest(stage=request, bill=listed.bill)
        scan, audits = await asyncio.gather(
            call("runner", scan_dependencies, question, summary="trivy", timeout=timeout),
            call("runner", audit_dependencies, question, summary="pip-audit, osv", timeout=timeout),
        )
        found = [scan, *audits]
    review = await call(
        "runner",
        review_dependencies,
        DependencyReviewRequest(stage=request, listed=listed, scans=tuple(found)),
        summary="dependencies against the last accepted commit",
        timeout=timeout,
    )
    return [*found, review]


async def accept(line: Line, report: StageReport) -> None:
    """Let later commits be compared with this one, whose run has passed or was released."""
    listed = [ref for ref in report.artifacts if ref.name == BILL_FILE]
    if report.state != "passed" or not listed:
        return
    # What is published stays published, whether this can be kept or not.
    with contextlib.suppress(ActivityError):
        await call(
            "runner",
            accept_dependencies,
            AcceptedDependencies(
                repository=line.request.repository, commit=line.request.commit, bill=listed[0]
            ),
            summary="dependencies accepted",
            timeout=60,
            within=300,
        )


ACTIVITIES: dict[Role, list[object]] = {
    "runner": [
        scan_secrets,
        scan_python,
        scan_by_rules,
        list_dependencies,
        scan_dependencies,
        audit_dependencies,
        review_dependencies,
        weigh_gates,
        accept_dependencies,
    ]
}
