"""One attempt of the heal loop: propose, guard, verify."""

import dataclasses
from dataclasses import dataclass

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.search_healer import SearchProposalRequest, propose_search_patch
    from regreen.contracts.healing import Attempt, FailedPatch, HealerName
    from regreen.contracts.testing import TestReport
    from regreen.roles import Role
    from workflows import candidate_choice, model_round
    from workflows.calls import call
    from workflows.candidate_choice import best_of, choose, told
    from workflows.failures import one_line
    from workflows.heal_round import Candidate, Exhausted, HealRound
    from workflows.model_round import ModelRound, ask_for_patches


@dataclass(frozen=True)
class Attempted:
    """An attempt, and what it leaves to those after it."""

    attempt: Attempt
    suite: TestReport | None = None
    """The healed suite's report; None when it is not healed."""
    failed: tuple[FailedPatch, ...] = ()
    """Patches that are not to be proposed again."""


async def try_to_heal(
    healer: HealerName, number: int, heal_round: HealRound
) -> Attempted | Exhausted:
    """Make one attempt."""
    section = heal_round.request.pipeline.tests(heal_round.request.stage)
    if healer == "search" and section is not None and not section.runs_pytest:
        return Exhausted("search heals pytest stages only")
    started = workflow.time()
    attempt = Attempt(number=number, healer=healer, verdict="error", reason="")
    candidates: list[Candidate] = []
    asked = ModelRound()
    suite = None
    try:
        if healer == "search":
            candidates = [await _search(number, heal_round)]
        else:
            answered = await ask_for_patches(number, heal_round)
            if isinstance(answered, Exhausted):
                return answered
            asked, candidates = answered, answered.candidates
        suite = await choose(candidates, number, heal_round)
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise
        attempt = attempt.model_copy(update={"reason": one_line(error)})
    else:
        best = dataclasses.asdict(best_of(candidates)) | {"reason": told(candidates)}
        best.pop("votes")
        attempt = attempt.model_copy(update=best)
    attempt = attempt.model_copy(
        update={
            "reason": attempt.reason + asked.remarks,
            "model": asked.model,
            "prompts": tuple(asked.prompts),
            "tokens": sum(each.input_tokens + each.output_tokens for each in asked.replies),
            "cost_usd": sum(each.cost_usd for each in asked.replies),
            "seconds": round(workflow.time() - started, 3),
        }
    )
    if asked.exhausted and all(each.patch is None for each in candidates):
        return Exhausted(asked.exhausted, attempt)
    return Attempted(attempt, suite, _failed(candidates, attempt, heal_round))


def _failed(
    candidates: list[Candidate], attempt: Attempt, heal_round: HealRound
) -> tuple[FailedPatch, ...]:
    known = {each.patch.sha256 for each in heal_round.failed}
    return tuple(
        FailedPatch(
            healer=attempt.healer,
            verdict=each.verdict,
            reason=each.reason,
            patch=each.patch,
            normal_form=each.normal_form,
            workspace=heal_round.request.workspace.fingerprint,
            origin=f"attempt {attempt.number}",
        )
        for each in candidates
        if each.patch is not None
        and each.verdict in ("tests_red", "refused")
        and each.patch.sha256 not in known
    )


async def _search(number: int, heal_round: HealRound) -> Candidate:
    request = heal_round.request
    tried = [each.patch for each in heal_round.earlier if each.patch is not None]
    workspace = request.workspace.fingerprint
    tried += [each.patch for each in heal_round.failed if each.binds(workspace)]
    proposal = await call(
        "runner",
        propose_search_patch,
        SearchProposalRequest(
            **heal_round.stage_fields,
            report=heal_round.report,
            failing=heal_round.triage.failing,
            quarantined=heal_round.quarantined,
            refused=tuple({each.sha256: each for each in tried}.values()),
            name=f"{request.stage}-attempt-{number}.patch",
        ),
        summary=f"search {request.stage}: attempt {number}, "
        f"{len(heal_round.triage.failing)} failing",
        timeout=4 * request.pipeline.heal.search_seconds + 900,
    )
    return Candidate(
        proposal.patch,
        proposal.explanation,
        reason=proposal.explanation,
        candidates=proposal.candidates,
    )


ACTIVITIES: dict[Role, list[object]] = {
    "runner": [
        propose_search_patch,
        *model_round.ACTIVITIES["runner"],
        *candidate_choice.ACTIVITIES["runner"],
    ],
    "healer": model_round.ACTIVITIES["healer"],
}
