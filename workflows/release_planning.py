"""Planning a release before a person is asked: the version, the checklist, and telling both."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.documentation import check_documentation
    from activities.release_plan import plan_release
    from regreen.checklist import Found, checklist_of
    from regreen.contracts.release_plan import PlanRequest
    from regreen.contracts.run import StageVerdict
    from regreen.plan_text import plan_markdown
    from regreen.roles import Role
    from workflows.calls import call
    from workflows.line import Line
    from workflows.pull_request_comment import comment


async def plan(line: Line, approval_required: bool) -> str:
    """Plan the run's release; returns why there can be none, and nothing when there can.

    Where there is nothing to release the line has no plan, and says why.
    """
    settings = line.pipeline.release
    if settings is None:
        return ""
    found = await call(
        "publisher",
        plan_release,
        PlanRequest(
            workspace=line.tree,
            settings=settings,
            packages=tuple(line.packages),
            heals=tuple(heal.explanation for heal in line.all_heals),
            waivers=tuple(_waivers(line)),
        ),
        summary="plan: version and notes from the commits",
        timeout=120,
    )
    if found.nothing:
        line.nothing_to_release = found.nothing
        return ""
    line.plan = found
    line.checklist = checklist_of(
        Found(
            pipeline=line.pipeline,
            stages=line.stages,
            plan=found,
            packages=line.packages,
            source=line.tree.source,
            tree=line.healed_tree,
            approval_required=approval_required,
            documentation=await _documentation(line),
        )
    )
    line.show()
    await _tell(line)
    return line.checklist.unmet


def _waivers(line: Line) -> list[str]:
    return [
        f"{each.finding.rule} at {each.finding.place}, by {each.waiver.owner} until "
        f"{each.waiver.expires}: {each.waiver.reason}"
        for verdict in line.waived
        for each in verdict.waived
    ]


async def _documentation(line: Line) -> StageVerdict | None:
    assert line.pipeline.release is not None
    checklist = line.pipeline.release.checklist
    if not checklist.documentation or "documentation" in checklist.off:
        return None
    return await call(
        "runner",
        check_documentation,
        line.stage_request("documentation"),
        summary=f"documentation: {' '.join(checklist.documentation)[:60]}",
        timeout=2 * line.pipeline.build.timeout + 60,
    )


async def _tell(line: Line) -> None:
    """Show the plan where a person reads what they are to approve."""
    if line.plan is None or line.checklist is None:
        return
    text = plan_markdown(line.plan, line.checklist)
    await comment(line, "plan", text, f"plan of {line.plan.tag}")


ACTIVITIES: dict[Role, list[object]] = {
    "publisher": [plan_release],
    "runner": [check_documentation],
}
"""Activities that planning needs, beside those of the forge."""
