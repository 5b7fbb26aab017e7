"""From a round's candidates to the one that holds: merge, guard, order, verify."""

from collections.abc import Callable, Sequence

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.heal_guard import GuardRequest, guard_patch
    from activities.healing.verification import VerificationRequest, verify_patch
    from regreen.contracts.artifacts import ArtifactRef
    from regreen.contracts.healing import FailedPatch
    from regreen.contracts.testing import TestReport, Verification
    from regreen.roles import Role
    from workflows.calls import call
    from workflows.failures import one_line
    from workflows.heal_round import Candidate, HealRound
    from workflows.side_by_side import side_by_side
    from workflows.triage_text import quarantine_count

_LONGEST_PART = 200
_SERIOUS = ("healed", "tests_red", "refused", "malformed", "error", "no_patch")


async def choose(
    candidates: Sequence[Candidate], number: int, heal_round: HealRound
) -> TestReport | None:
    """Give every candidate its verdict and reason; the report is that of the one that holds.

    Candidates that say the same are one, with their votes. What most agree on is verified first,
    then what changes less, until one holds.
    """
    subject = f"{heal_round.request.stage}: attempt {number}"
    proposed = [each for each in candidates if each.patch is not None]
    distinct = _merged(proposed, lambda each: _patch(each).sha256)
    await side_by_side([_guard(each, subject, heal_round) for each in distinct])
    guarded = _merged(
        [each for each in distinct if each.verdict == "no_patch"], lambda each: each.normal_form
    )
    ordered = sorted(guarded, key=lambda each: (-each.votes, _patch(each).bytes))
    for position, candidate in enumerate(ordered):
        # A single patch is paid for and always run; those after it only while there is time.
        if position and heal_round.seconds_left <= 0:
            candidate.reason = "not run, for the budget of seconds is used up"
            continue
        report = await _verify(candidate, subject, heal_round)
        if report is not None:
            return report
    return None


def best_of(candidates: Sequence[Candidate]) -> Candidate:
    """The candidate that stands for a round: the one that came furthest."""
    return min(candidates, key=lambda each: (_SERIOUS.index(each.verdict), -each.votes))


def told(candidates: Sequence[Candidate]) -> str:
    """What became of each, in one line."""
    if len(candidates) == 1:
        return candidates[0].reason
    parts = []
    for number, each in enumerate(candidates, 1):
        votes = f" ({each.votes} votes)" if each.votes > 1 else ""
        verdict = "" if each.verdict == "no_patch" else f"{each.verdict}, "
        parts.append(f"candidate {number}{votes}: {verdict}{each.reason[:_LONGEST_PART]}")
    return "; ".join(parts)


def _merged(candidates: Sequence[Candidate], same: Callable[[Candidate], str]) -> list[Candidate]:
    """One candidate for each that is different, the smallest, with the votes of all like it."""
    kept: dict[str, Candidate] = {}
    for each in sorted(candidates, key=lambda each: _patch(each).bytes):
        first = kept.setdefault(same(each) or _patch(each).sha256, each)
        if first is not each:
            first.votes += each.votes
            each.reason = "says the same as another one"
    return [each for each in candidates if any(each is one for one in kept.values())]


async def _guard(candidate: Candidate, subject: str, heal_round: HealRound) -> None:
    try:
        judged = await call(
            "runner",
            guard_patch,
            GuardRequest(
                **heal_round.stage_fields,
                patch=_patch(candidate),
                failures=heal_round.report.failures,
            ),
            summary=f"guard {subject}",
        )
    except ActivityError as error:
        _could_not(candidate, error)
        return
    candidate.normal_form, candidate.opened = judged.normal_form, judged.opened
    if judged.refusals:
        candidate.verdict = "refused"
        candidate.reason = "; ".join(str(refusal) for refusal in judged.refusals[:3])
        return
    known = _known(candidate, heal_round)
    if known is not None:
        candidate.verdict = "refused"
        candidate.reason = f"proposed before, in {known.origin}: {known.verdict}, {known.reason}"
        return
    candidate.reason = "not run, for another one held"


def _known(candidate: Candidate, heal_round: HealRound) -> FailedPatch | None:
    workspace = heal_round.request.workspace.fingerprint
    for failed in heal_round.failed:
        # What the guard refused may be written in another way that it does not refuse.
        if failed.verdict == "refused" or not failed.binds(workspace):
            continue
        if failed.patch.sha256 == _patch(candidate).sha256 or (
            failed.normal_form and failed.normal_form == candidate.normal_form
        ):
            return failed
    return None


async def _verify(candidate: Candidate, subject: str, heal_round: HealRound) -> TestReport | None:
    try:
        verified: Verification = await call(
            "runner",
            verify_patch,
            VerificationRequest(
                **heal_round.stage_fields,
                patch=_patch(candidate),
                failing=heal_round.triage.failing,
                quarantined=heal_round.quarantined,
                original=heal_round.report,
                earlier_stages=heal_round.request.earlier_stages,
                earlier_quarantine=heal_round.request.earlier_quarantine,
            ),
            summary=f"verify {subject}{quarantine_count(heal_round.quarantined)}",
            timeout=7200,
        )
    except ActivityError as error:
        _could_not(candidate, error)
        return None
    candidate.verdict = "healed" if verified.verified else "tests_red"
    candidate.reason, candidate.patch = verified.reason, verified.patch
    candidate.flaky = verified.flaky
    return verified.report if verified.verified else None


def _could_not(candidate: Candidate, error: ActivityError) -> None:
    if is_cancelled_exception(error):
        raise error
    candidate.verdict, candidate.reason = "error", one_line(error)


def _patch(candidate: Candidate) -> ArtifactRef:
    assert candidate.patch is not None
    return candidate.patch


ACTIVITIES: dict[Role, list[object]] = {"runner": [guard_patch, verify_patch]}
