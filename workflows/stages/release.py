"""The release stage: a child workflow that publishes once."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from regreen.checklist import with_approvals
    from regreen.contracts.release import ReleaseRequest
    from regreen.contracts.run import StageReport
    from regreen.roles import Role, task_queue
    from workflows.audit_events import released
    from workflows.line import Line
    from workflows.release import ReleaseWorkflow


async def execute(line: Line) -> StageReport:
    """Release what was packaged and approved."""
    settings = line.pipeline.release
    if settings is None or line.plan is None or line.checklist is None:
        why = line.nothing_to_release or "no release configured"
        return StageReport(name="release", state="skipped", summary=why)
    if not line.packages:
        return StageReport(name="release", state="failed", summary="nothing was packaged")
    line.checklist = with_approvals(line.checklist, line.approvals)
    if line.checklist.unmet:
        return StageReport(name="release", state="failed", summary=line.checklist.unmet)
    line.release = await workflow.execute_child_workflow(
        ReleaseWorkflow.run,
        ReleaseRequest(
            run=line.workflow_id,
            workspace=line.tree,
            plan=line.plan,
            files=tuple(line.packages),
            commit=line.head,
            settings=settings,
            require=line.pipeline.require,
            waivers=tuple(line.waivers),
            tagged_at=workflow.now().isoformat(),
            pipeline=line.pipeline,
            heals=line.all_heals,
            approvals=tuple(line.approvals),
            checklist=line.checklist,
        ),
        id=f"{line.workflow_id}/release",
        task_queue=task_queue("orchestrator"),
        static_summary=f"release {line.plan.tag}",
    )
    released(line.audit, line.release)
    summary = f"{line.plan.tag} in {line.release.directory}"
    if line.release.unsigned:
        summary += f"; NOT SIGNED, skipped: {line.release.unsigned}"
    return StageReport(name="release", state="passed", summary=summary)


ACTIVITIES: dict[Role, list[object]] = {}
