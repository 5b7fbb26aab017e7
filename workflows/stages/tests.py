"""The test stages: each a child workflow with its heal loop, then the pull request."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.pull_request import publish_pull_request
    from activities.pytest_run import COVERAGE_FILE
    from regreen.contracts.pull_request import PullRequestContent
    from regreen.contracts.run import StageReport
    from regreen.contracts.test_stage import TestStageRequest
    from regreen.roles import Role, task_queue
    from workflows.audit_events import pull_request_published
    from workflows.calls import call
    from workflows.line import Line
    from workflows.test_stage import TestStageWorkflow
    from workflows.triage_text import quarantine_count

_BRANCH_TIME = "%Y%m%dT%H%M%SZ"


async def execute(line: Line, stage: str) -> StageReport:
    """Run one stage's tests and heal them; a heal goes into the workspace of all later stages."""
    if line.pipeline.tests(stage) is None:
        return StageReport(name=stage, state="skipped", summary=f"no {stage} tests configured")
    result = await workflow.execute_child_workflow(
        TestStageWorkflow.run,
        TestStageRequest(
            stage=stage,
            workspace=line.tree,
            pipeline=line.pipeline,
            earlier_stages=tuple(line.green_tests),
            earlier_quarantine=dict(line.quarantined),
            earlier_attempts=line.attempts.get(stage, ()),
        ),
        id=f"{line.workflow_id}/{stage}",
        task_queue=task_queue("orchestrator"),
        static_summary=f"{stage} tests",
    )
    line.attempts[stage] = result.attempts
    if result.unhealed_coverage is not None and not line.heals:
        line.unhealed_coverage[stage] = result.unhealed_coverage
    if result.flaky:
        line.quarantined[stage] = result.flaky
    if result.heal is not None:
        line.workspace = line.tree.with_patch(result.heal.patch)
        line.heals.append(result.heal)
    # What was left aside after the heals is shown beside them.
    if result.heal is not None or (line.pull_request is not None and result.flaky):
        await hand_over(line)
    if result.state in ("passed", "healed"):
        line.green_tests.append(stage)
        measured = [ref for ref in result.artifacts if ref.name == COVERAGE_FILE]
        if measured:
            line.coverage[stage] = measured[-1]
            if not line.heals:
                line.unhealed_coverage[stage] = measured[-1]
            line.measured_on[stage] = line.tree.fingerprint
    return StageReport(
        name=stage,
        state=result.state,
        summary=result.summary,
        attempts=result.attempts,
        quarantined=result.flaky,
        triage=result.triage,
        artifacts=result.artifacts,
    )


async def hand_over(line: Line) -> None:
    """Show the heals so far to a person: open the pull request, or bring it up to date."""
    assert line.source is not None
    if line.request.heal_only:
        return
    # A proposal: the forge keeps to the branch of a pull request that is open already.
    branch = f"auto-heal/{line.heals[0].stage}/{workflow.now().strftime(_BRANCH_TIME)}"
    if line.pull_request is not None:
        branch = line.pull_request.branch
    before = line.pull_request
    quarantined = [name for names in line.quarantined.values() for name in names]
    line.pull_request = await call(
        "publisher",
        publish_pull_request,
        PullRequestContent(
            run=line.workflow_id,
            run_id=_part(line),
            source=line.source,
            pipeline=line.pipeline,
            branch=branch,
            heals=tuple(line.heals),
            quarantined=dict(line.quarantined),
        ),
        summary=f"pull request from {branch}{quarantine_count(quarantined)}",
        timeout=120,
    )
    pull_request_published(line.audit, before, line.pull_request)


def _part(line: Line) -> str:
    """Which of the pull requests of the workflow's runs: after a merge a run opens another."""
    run_id = workflow.info().run_id
    return run_id if line.merge is None else f"{run_id}/{line.merge.commit[:12]}"


ACTIVITIES: dict[Role, list[object]] = {"publisher": [publish_pull_request]}
