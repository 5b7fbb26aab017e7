"""The approval stage: a durable wait for a person, with reminders and an expiry."""

from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.pull_request import comment_on_pull_request, decide_pull_request
    from activities.waivers import moment
    from regreen.contracts.gates import GateVerdict
    from regreen.contracts.healing import FailedPatch
    from regreen.contracts.pull_request import PullRequestDecision
    from regreen.contracts.run import Review, StageReport
    from regreen.printable import one_line_of
    from regreen.roles import Role
    from workflows.calls import PATIENT, call
    from workflows.line import Line
    from workflows.moved_source import base_moved_on, go_on_with_merge, merge_heard
    from workflows.patch_memory import remember
    from workflows.pull_request_comment import mention, not_told
    from workflows.release_planning import ACTIVITIES as PLANNING
    from workflows.release_planning import plan
    from workflows.reviewing import tell_refusals, weigh_reviews

# As long as a limit of GitHub's lasts.
_DECISION_TOLD_WITHIN = 3900.0

# At 51,200 events or 50 MiB the server ends a run, and nobody is told. Each reminder, refused
# decision and moved base adds to its history, and what ends the run needs room, too.
_MOST_EVENTS = 30_000
_MOST_BYTES = 30 << 20


async def execute(line: Line) -> StageReport:
    """Plan the release, then wait for the decision of people where one is required."""
    if line.plan is None:
        unmet = await plan(line, _required(line) or bool(line.approvals))
        if unmet:
            return StageReport(name="approval", state="failed", summary=unmet)
    if line.merge is not None and line.heals:
        # What was approved is merged; what had to be healed since, nobody has seen.
        line.approvals.clear()
    await weigh_reviews(line)
    await tell_refusals(line)
    if not _required(line) and line.rejection is None:
        return _not_required(line)
    line.waiting_for = _subject(line)
    line.show()
    report = await _wait(line)
    line.waiting_for = ""
    line.decided = not line.begin_again
    for review in line.reviews if line.decided else ():
        line.refuse(review, "it is decided already")
    await tell_refusals(line)
    return report


async def _wait(line: Line) -> StageReport:
    approval = line.pipeline.approval
    deadline = workflow.time() + approval.expires
    reminders = 0
    while True:
        report = _full(line) or await _heard(line) or _ended(line, deadline)
        if report is not None:
            return report
        reopens = min(_reopening(line), default=deadline)
        left = min(approval.reminder, deadline - workflow.time(), reopens - workflow.time())
        try:
            await workflow.wait_condition(
                lambda: bool(line.reviews or line.merges or _moved(line)),
                timeout=timedelta(seconds=max(0.001, left)),
                timeout_summary=f"waiting for {line.waiting_for}",
            )
        except TimeoutError:
            if _ended(line, deadline) is None:
                reminders += 1
                await _remind(line, reminders)


async def _heard(line: Line) -> StageReport | None:
    """What has been decided; None while it takes more."""
    await weigh_reviews(line)
    if line.rejection is not None:
        _close(line)
        return await _rejected(line, line.rejection)
    while line.merges:
        await merge_heard(line, line.merges.pop(0))
    if len(line.approvals) >= line.pipeline.approval.approvals:
        _close(line)
        await _decided(line, "approved", line.approvals)
        if line.merge is not None:
            return await go_on_with_merge(line, line.merge)
        return StageReport(name="approval", state="passed", summary=_approved(line))
    if _moved(line):
        return await base_moved_on(line)
    line.waiting_for = _subject(line)
    line.show()
    await tell_refusals(line)
    return None


def _close(line: Line) -> None:
    """Let no later decision count, and nobody think that the run still waits."""
    line.decided = True
    line.waiting_for = ""
    line.show()


def _ended(line: Line, deadline: float) -> StageReport | None:
    """How the wait ends without a decision; None while it goes on."""
    reopened = _reopened(line)
    if reopened is not None:
        return StageReport(name="approval", state="failed", summary=_waiver_ended(reopened))
    if workflow.time() < deadline:
        return None
    line.ended_as = "expired"
    line.reason = f"no decision within {timedelta(seconds=line.pipeline.approval.expires)}"
    return StageReport(name="approval", state="failed", summary=line.reason)


def _full(line: Line) -> StageReport | None:
    """The end of a wait during which more has happened than one history can hold; else None."""
    info = workflow.info()
    events, size = info.get_current_history_length(), info.get_current_history_size()
    if events < _MOST_EVENTS and size < _MOST_BYTES:
        return None
    line.ended_as = "expired"
    line.reason = f"the history is full, with {events} events; `regreen retry` runs it again"
    return StageReport(name="approval", state="failed", summary=line.reason)


def _moved(line: Line) -> bool:
    policy = line.pipeline.approval.moved_base
    return policy != "keep" and bool(line.moved_base) and line.merge is None


def _not_required(line: Line) -> StageReport:
    required = line.pipeline.approval.required
    if line.merge is not None:
        return StageReport(name="approval", state="passed", summary=_approved(line))
    return StageReport(
        name="approval", state="skipped", summary=f"not required (`approval.required: {required}`)"
    )


def _approved(line: Line) -> str:
    return "; ".join(f"approved by {_who_and_why(review)}" for review in line.approvals)


def _who_and_why(review: Review) -> str:
    # It gets into terminals and into logs of jobs, where a line of its own can be a command.
    why = f": {review.comment}" if review.comment else ""
    return one_line_of(f"{review.reviewer} ({review.source}){why}")


async def _rejected(line: Line, review: Review) -> StageReport:
    await _decided(line, "rejected", [review])
    line.ended_as = "rejected"
    line.reason = f"rejected by {_who_and_why(review)}"
    await _remember(line, line.reason)
    return StageReport(name="approval", state="failed", summary=line.reason)


def _required(line: Line) -> bool:
    required = line.pipeline.approval.required
    if line.merge is not None and not line.heals:
        return False
    return required == "always" or (required == "healed" and bool(line.heals))


def _subject(line: Line) -> str:
    pull_request = f" of #{line.pull_request.number}" if line.pull_request else ""
    release = f" to release {line.plan.tag}" if line.plan else ""
    needed, given = line.pipeline.approval.approvals, len(line.approvals)
    people = f" ({given} of {needed} people)" if needed > 1 else ""
    return f"approval{pull_request}{release}{people}"


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
    line.audit.record("reminder", text, actor="regreen", key=f"reminder-{number}")
    await mention(line, f"reminder-{number}", text, f"reminder {number}")


async def _decided(line: Line, verb: str, reviews: list[Review]) -> None:
    tree = f"tree {line.healed_tree[:12]}"
    texts = []
    for number, review in enumerate(reviews):
        texts.append(f"{verb} by {review.reviewer} ({review.source}), {tree}. {review.comment}")
        key = f"{line.head[:12]}/decision-{number}"
        line.audit.record(verb, texts[-1], actor=review.reviewer, key=key)
    if line.pull_request is None:
        return
    try:
        await call(
            "publisher",
            decide_pull_request,
            PullRequestDecision(
                pull_request=line.pull_request,
                repository=line.request.repository,
                state=verb,
                text="\n\n".join(texts),
                key="decision",
            ),
            summary=f"#{line.pull_request.number} {verb}",
            timeout=60,
            within=_DECISION_TOLD_WITHIN,
            retry=PATIENT,
        )
    except ActivityError as error:
        # What people have decided stays decided, whether the forge can be told or not.
        not_told(line, f"{verb} on #{line.pull_request.number}", error)


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


ACTIVITIES: dict[Role, list[object]] = {
    **PLANNING,
    "publisher": [
        *PLANNING["publisher"],
        comment_on_pull_request,
        decide_pull_request,
    ],
}
