"""Which decisions about a run count: those about what waits, of people who may decide."""

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.reviewer_check import check_reviewer
    from regreen.contracts.reviewer import ReviewerQuestion
    from regreen.contracts.run import Review
    from regreen.markdown import prose
    from workflows.calls import PATIENT, call
    from workflows.failures import last_message, one_line
    from workflows.line import Line
    from workflows.pull_request_comment import mention

# As long as a limit of GitHub's lasts. After that the decision has to be made anew.
_CHECKED_WITHIN = 3900.0


async def weigh_reviews(line: Line) -> None:
    """Weigh what has come: what counts is in `approvals` or `rejection`, the rest is refused."""
    while line.reviews and line.rejection is None:
        review = line.reviews.pop(0)
        if review.decision == "comment":
            continue
        reason = await _why_refused(line, review)
        if reason:
            line.refuse(review, reason)
        elif review.decision == "reject":
            line.rejection = review
        else:
            line.approvals.append(review)


async def tell_refusals(line: Line) -> None:
    """Say on the pull request which decisions do not count, and why."""
    while line.pull_request is not None and line.refusals_told < len(line.refused_reviews):
        number = line.refusals_told = line.refusals_told + 1
        refused = line.refused_reviews[number - 1]
        text = f"The decision `{refused.decision}` of {prose(refused.reviewer)} does not count: "
        text += f"{refused.reason}."
        await mention(line, f"refused-{number}", text, "a decision that does not count")


async def why_not_allowed(line: Line, person: str, source: str) -> str:
    """Why a person may not decide about the run; empty when the person may.

    What the forge does not tell within an hour refuses, and the run waits on.
    """
    policy = line.pipeline.approval
    # Whoever can reach Temporal or the command line is let in there, under any name.
    if source != "webhook" and policy.author == "allowed" and not policy.code_owners:
        return ""
    try:
        answer = await call(
            "publisher",
            check_reviewer,
            ReviewerQuestion(
                repository=line.request.repository,
                location=line.request.location,
                commit=line.request.commit,
                reviewer=person,
                author_refused=policy.author == "refused",
                owners_of_patched=line.tree.patches if policy.code_owners else (),
            ),
            summary=f"may {person[:40]} decide",
            timeout=60,
            within=_CHECKED_WITHIN,
            retry=PATIENT,
        )
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise
        why = prose(last_message(error) or one_line(error), 200)
        return f"it cannot be found out whether {prose(person)} may decide ({why})"
    return answer.refused


async def _why_refused(line: Line, review: Review) -> str:
    waiting = line.healed_tree
    if review.tree not in ("", waiting):
        return f"it is of tree {review.tree[:12]}; what waits is tree {waiting[:12]}"
    if review.commit not in ("", line.head):
        return f"it is of commit {review.commit[:12]}; what waits is commit {line.head[:12]}"
    known = {approval.reviewer.casefold() for approval in line.approvals}
    if review.decision == "approve" and review.reviewer.casefold() in known:
        return f"{prose(review.reviewer)} has approved already; it takes another person"
    return await why_not_allowed(line, review.reviewer, review.source)
