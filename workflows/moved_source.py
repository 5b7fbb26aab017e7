"""A run whose pull request was merged, or whose ref has moved on, while it waits for a person."""

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from regreen.contracts.run import Merge, Review, StageReport
    from workflows import audit_events
    from workflows.failures import one_line
    from workflows.line import Line
    from workflows.reviewing import why_not_allowed
    from workflows.source_fetch import fetch
    from workflows.stages.tests import hand_over

# A merge moves the ref too, and the news of the two come in either order.
_MERGE_MAY_FOLLOW = timedelta(seconds=60)


async def merge_heard(line: Line, merge: Merge) -> None:
    """Look at a merge of the run's pull request: it approves as its author's review would.

    One that the run cannot go on with is refused, and the run waits on.
    """
    heard = Review(
        reviewer=merge.merged_by,
        decision="approve",
        comment=f"merged as {merge.commit[:12]}",
        source=merge.source,
        delivery_id=merge.delivery_id,
    )
    if line.pull_request is None or line.merge is not None:
        line.refuse(heard, "there is no open pull request")
        return
    line.merge = merge
    known = {approval.reviewer.casefold() for approval in line.approvals}
    if merge.merged_by.casefold() in known:
        return
    reason = await why_not_allowed(line, merge.merged_by, merge.source)
    if reason:
        line.refuse(heard, f"{reason}; the merge stands, the run waits for an approval")
    else:
        line.approvals.append(heard)


async def go_on_with_merge(line: Line, merge: Merge) -> StageReport:
    """Put an approved run on the merged commit. The same tree needs no new test run."""
    assert line.pull_request is not None
    approved = f"merged by {merge.merged_by} as {merge.commit[:12]}"
    try:
        fetched = await fetch(line.request, merge.commit)
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise
        line.reason = f"{approved}, but {one_line(error)}"
        return StageReport(name="approval", state="failed", summary=line.reason)
    audit_events.source_fetched(line.audit, fetched)
    line.audit.record("merged", approved, actor=merge.merged_by, key=f"merged-{merge.commit[:12]}")
    same = fetched.source.tree == line.pull_request.tree
    packages, plan, checklist = list(line.packages), line.plan, line.checklist
    line.go_on_with(fetched.source, fetched.pipeline, ())
    line.merged_pull_request, line.pull_request = line.pull_request, None
    line.merged_heals, line.heals = [*line.merged_heals, *line.heals], []
    if not same:
        summary = f"{approved}, another tree than the approved one: it is verified again"
        return StageReport(name="approval", state="failed", summary=summary)
    # Nothing that was found of the approved tree can differ for the same tree.
    line.begin_again = False
    line.packages, line.plan, line.checklist = packages, plan, checklist
    return StageReport(name="approval", state="passed", summary=f"{approved}, the approved tree")


async def base_moved_on(line: Line) -> StageReport | None:
    """What the policy says of a ref that has a newer commit; None when a merge explains it."""
    moved = line.moved_base
    try:
        await workflow.wait_condition(
            lambda: bool(line.merges) or line.moved_base != moved,
            timeout=_MERGE_MAY_FOLLOW,
            timeout_summary=f"{line.request.ref} has moved to {moved[:12]}: is it the merge",
        )
    except TimeoutError:
        pass
    else:
        return None
    line.moved_base = ""
    news = f"{line.request.ref} has moved to {moved[:12]}"
    if line.pipeline.approval.moved_base == "cancel" or line.pull_request is None:
        line.ended_as, line.reason = "cancelled", f"{news} while the run waited"
        line.audit.record("cancelled", line.reason, actor="regreen", key=f"moved-{moved[:12]}")
        return StageReport(name="approval", state="failed", summary=line.reason)
    try:
        fetched = await fetch(line.request, moved)
        patches = tuple(heal.patch for heal in line.heals)
        line.go_on_with(fetched.source, fetched.pipeline, patches)
        line.approvals.clear()
        await hand_over(line)
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise
        line.begin_again = False
        line.ended_as, line.reason = "cancelled", f"{news}; no rebase: {one_line(error)}"
        line.audit.record("cancelled", line.reason, actor="regreen", key=f"moved-{moved[:12]}")
        return StageReport(name="approval", state="failed", summary=line.reason)
    summary = f"{news}: the heals are on it now, everything is verified again"
    audit_events.source_fetched(line.audit, fetched)
    line.audit.record("rebased", summary, actor="regreen", key=f"moved-{moved[:12]}")
    return StageReport(name="approval", state="failed", summary=summary)
