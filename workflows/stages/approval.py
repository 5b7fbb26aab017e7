"""The approval stage: a durable wait for a person, with reminders and an expiry."""

from datetime import datetime, timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.audit import AuditEvent, record_audit_event
    from activities.local_forge import comment_on_pull_request, decide_pull_request
    from activities.waivers import moment
    from regreen.contracts.gates import GateVerdict
    from regreen.contracts.healing import FailedPatch
    from regreen.contracts.pull_request import Comment, PullRequestDecision
    from regreen.contracts.run import Review, StageReport
    from regreen.roles import Role
    from workflows.calls import call
    from workflows.line import Line
    from workflows.patch_memory import remember
    from workflows.release_planning import ACTIVITIES as PLANNING
    from workflows.release_planning import plan


async def execute(line: Line) -> StageReport:
    """Plan the release, then wait for the decision of a person where one is required."""
    unmet = await plan(line, _required(line))
    if unmet:
        return StageReport(name="approval", state="failed", summary=unmet)
    if not _required(line) and line.decision is None:
        summary = f"not required (`approval.required: {line.pipeline.approval.required}`)"
        return StageReport(name="approval", state="skipped", summary=summary)
    line.waiting_for = _subject(line)
    line.show()
    review = await _wait(line)
    line.waiting_for = ""
    reopened = _reopened(line)
    if reopened is not None:
        return StageReport(name="approval", state="failed", summary=_waiver_ended(reopened))
    if review is None:
        line.ended_as = "expired"
        expires = timedelta(seconds=line.pipeline.approval.expires)
        line.reason = f"no decision within {expires}"
        return StageReport(name="approval", state="failed", summary=line.reason)
    await _decided(line, review)
    said = f": {review.comment}" if review.comment else ""
    if review.decision == "reject":
        line.ended_as = "rejected"
        line.reason = f"rejected by {review.reviewer} ({review.source}){said}"
        await _remember(line, line.reason)
        return StageReport(name="approval", state="failed", summary=line.reason)
    summary = f"approved by {review.reviewer} ({review.source}){said}"
    return StageReport(name="approval", state="passed", summary=summary)


def _required(line: Line) -> bool:
    required = line.pipeline.approval.required
    return required == "always" or (required == "healed" and bool(line.heals))


def _subject(line: Line) -> str:
    pull_request = f" of #{line.pull_request.number}" if line.pull_request else ""
    release = f" to release {line.plan.tag}" if line.plan else ""
    return f"approval{pull_request}{release}"


async def _wait(line: Line) -> Review | None:
    approval = line.pipeline.approval
    deadline = workflow.time() + approval.expires
    reminders = 0
    while True:
        left = deadline - workflow.time()
        if left <= 0 or _reopened(line) is not None:
            return None
        reopens = min(_reopening(line), default=deadline) - workflow.time()
        try:
            await workflow.wait_condition(
                lambda: line.decision is not None,
                timeout=timedelta(seconds=max(0.001, min(approval.reminder, left, reopens))),
                timeout_summary=f"waiting for {line.waiting_for}",
            )
            return line.decision
        except TimeoutError:
            if deadline - workflow.time() > 0 and _reopened(line) is None:
                reminders += 1
                await _remind(line, reminders)


def _reopening(line: Line) -> list[float]:
    """When waivers end, in seconds since the epoch."""
    return [datetime.fromisoformat(verdict.reopens).timestamp() for verdict in line.waived]


def _reopened(line: Line) -> GateVerdict | None:
    """A gate whose waiver has ended, so that it would fail now."""
    pairs = zip(_reopening(line), line.waived, strict=True)
    return next((verdict for ends, verdict in pairs if ends <= workflow.time()), None)


def _waiver_ended(verdict: GateVerdict) -> str:
    waiver = min(verdict.waived, key=lambda each: moment(each.waiver.expires)).waiver
    return (
        f"the gate {verdict.gate} is open again: the waiver of {waiver.rule} by {waiver.owner} "
        f"ended on {waiver.expires}"
    )


async def _remind(line: Line, number: int) -> None:
    command = f"regreen approve {line.workflow_id}"
    text = f"Reminder {number}: waiting for {line.waiting_for}. Run `{command}`."
    await _record(line, f"reminder-{number}", "regreen", "reminder", text)
    if line.pull_request is not None:
        await call(
            "publisher",
            comment_on_pull_request,
            Comment(
                pull_request=line.pull_request,
                repository=line.request.repository,
                key=f"reminder-{number}",
                text=text,
            ),
            summary=f"reminder {number} on #{line.pull_request.number}",
            timeout=60,
        )


async def _decided(line: Line, review: Review) -> None:
    verb = "approved" if review.decision == "approve" else "rejected"
    tree = line.pull_request.tree if line.pull_request else line.tree.source.tree
    text = f"{verb} by {review.reviewer} ({review.source}), tree {tree[:12]}. {review.comment}"
    await _record(line, "decision", review.reviewer, verb, text)
    if line.pull_request is not None:
        await call(
            "publisher",
            decide_pull_request,
            PullRequestDecision(
                pull_request=line.pull_request,
                repository=line.request.repository,
                state=verb,
                text=text,
                key="decision",
            ),
            summary=f"#{line.pull_request.number} {verb}",
            timeout=60,
        )


async def _remember(line: Line, reason: str) -> None:
    """Keep the heals from being proposed again for the same failures."""
    for heal in line.heals:
        rejected = FailedPatch(
            healer=heal.healer,
            verdict="rejected",
            reason=reason,
            patch=heal.patch,
            normal_form=heal.normal_form,
        )
        await remember(line.request.repository, heal.signature, (rejected,))


async def _record(line: Line, key: str, actor: str, action: str, detail: str) -> None:
    await call(
        "publisher",
        record_audit_event,
        AuditEvent(
            repository=line.request.repository,
            commit=line.request.commit,
            key=f"{workflow.info().run_id}/{key}",
            time=workflow.now().isoformat(),
            actor=actor,
            action=action,
            detail=detail,
        ),
        summary=f"audit: {action} by {actor}",
        timeout=60,
    )


ACTIVITIES: dict[Role, list[object]] = {
    **PLANNING,
    "publisher": [
        *PLANNING["publisher"],
        record_audit_event,
        comment_on_pull_request,
        decide_pull_request,
    ],
}
