"""One attempt of the heal loop: propose, guard, verify."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.heal_guard import GuardRequest, guard_patch
    from activities.healing.verification import VerificationRequest, verify_patch
    from activities.model_prompt import (
        PromptRequest,
        ReplyRequest,
        read_model_reply,
        write_model_prompt,
    )
    from activities.openai_responses import ask_model, check_model
    from activities.search_healer import SearchProposalRequest, propose_search_patch
    from regreen.contracts.artifacts import ArtifactRef
    from regreen.contracts.healing import Attempt, AttemptVerdict, HealerName
    from regreen.contracts.model import ModelCheck, ModelExchange, ModelRequest
    from regreen.contracts.test_stage import TestStageRequest
    from regreen.contracts.testing import TestReport, Triage
    from regreen.roles import Role
    from workflows.calls import call
    from workflows.failures import one_line
    from workflows.triage_text import quarantine_count


@dataclass(frozen=True)
class HealRound:
    """What every attempt of a stage starts from."""

    request: TestStageRequest
    report: TestReport
    triage: Triage
    earlier: tuple[Attempt, ...]

    @property
    def quarantined(self) -> tuple[str, ...]:
        """Tests whose failures do not count, those found by earlier attempts among them."""
        found = (name for attempt in self.earlier for name in attempt.flaky)
        return tuple(dict.fromkeys((*self.triage.flaky, *found)))


@dataclass(frozen=True)
class Exhausted:
    """A healer that cannot take part; it costs no attempt."""

    reason: str


@dataclass
class _Proposed:
    patch: ArtifactRef | None
    explanation: str
    verdict: AttemptVerdict = "no_patch"
    reason: str = ""
    tokens: int = 0
    cost_usd: float = 0.0
    candidates: int = 0


async def try_to_heal(
    healer: HealerName, number: int, heal_round: HealRound
) -> tuple[Attempt, TestReport | None] | Exhausted:
    """Make one attempt. The report is that of the healed suite, or None when it is not healed."""
    started = workflow.time()
    attempt = Attempt(number=number, healer=healer, verdict="error", reason="")
    suite = None
    try:
        propose = _search if healer == "search" else _ask
        proposed = await propose(number, heal_round)
        attempt = attempt.model_copy(update=dataclasses.asdict(proposed))
        if attempt.patch is not None:
            attempt, suite = await _judge(attempt, attempt.patch, heal_round)
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise
        cause = error.cause
        if isinstance(cause, ApplicationError) and cause.type == "ModelNotConfigured":
            return Exhausted(cause.message)
        attempt = attempt.model_copy(update={"verdict": "error", "reason": one_line(error)})
    seconds = round(workflow.time() - started, 3)
    return attempt.model_copy(update={"seconds": seconds}), suite


def _stage_fields(request: TestStageRequest) -> dict[str, Any]:
    return {
        "stage": request.stage,
        "workspace": request.workspace,
        "pipeline": request.pipeline,
    }


async def _search(number: int, heal_round: HealRound) -> _Proposed:
    request = heal_round.request
    refused = tuple(each.patch for each in heal_round.earlier if each.patch is not None)
    proposal = await call(
        "runner",
        propose_search_patch,
        SearchProposalRequest(
            **_stage_fields(request),
            report=heal_round.report,
            failing=heal_round.triage.failing,
            quarantined=heal_round.quarantined,
            refused=refused,
            name=f"{request.stage}-attempt-{number}.patch",
        ),
        summary=f"search {request.stage}: attempt {number}, "
        f"{len(heal_round.triage.failing)} failing",
        timeout=4 * request.pipeline.heal.search_seconds + 900,
    )
    return _Proposed(
        proposal.patch,
        proposal.explanation,
        reason=proposal.explanation,
        candidates=proposal.candidates,
    )


async def _ask(number: int, heal_round: HealRound) -> _Proposed:
    request = heal_round.request
    base = _stage_fields(request)
    if all(attempt.healer != "openai" for attempt in heal_round.earlier):
        check = ModelCheck(stage=request.stage)
        await call("healer", check_model, check, summary="openai: configured?", timeout=30)
    prompt = await call(
        "runner",
        write_model_prompt,
        PromptRequest(
            **base,
            report=heal_round.report,
            failing=heal_round.triage.failing,
            earlier=heal_round.earlier,
        ),
        summary=f"prompt {request.stage}: attempt {number}",
    )
    tokens, cost, previous = 0, 0.0, None
    for free_retry in (True, False):
        reply = await call(
            "healer",
            ask_model,
            ModelRequest(instructions=prompt.instructions, prompt=prompt.prompt, previous=previous),
            summary=f"openai {request.stage}: attempt {number}"
            + ("" if free_retry else ", format retry"),
        )
        tokens += reply.input_tokens + reply.output_tokens
        cost += reply.cost_usd
        edits = await call(
            "runner",
            read_model_reply,
            ReplyRequest(
                **base,
                text=reply.text,
                malformed=reply.malformed,
                name=f"{request.stage}-attempt-{number}.patch",
            ),
            summary=f"edits {request.stage}: attempt {number}",
        )
        if edits.patch is not None or not free_retry:
            break
        previous = ModelExchange(reply=reply.text, feedback=edits.feedback)
    if edits.patch is None:
        return _Proposed(None, edits.explanation, "malformed", edits.malformed, tokens, cost)
    return _Proposed(edits.patch, edits.explanation, tokens=tokens, cost_usd=cost)


async def _judge(
    attempt: Attempt, patch: ArtifactRef, heal_round: HealRound
) -> tuple[Attempt, TestReport | None]:
    request = heal_round.request
    base = _stage_fields(request) | {"patch": patch}
    judged = await call(
        "runner",
        guard_patch,
        GuardRequest(**base, failures=heal_round.report.failures),
        summary=f"guard {request.stage}: attempt {attempt.number}",
    )
    if judged.refusals:
        reason = "; ".join(str(refusal) for refusal in judged.refusals[:3])
        return attempt.model_copy(update={"verdict": "refused", "reason": reason}), None
    verified = await call(
        "runner",
        verify_patch,
        VerificationRequest(
            **base,
            failing=heal_round.triage.failing,
            quarantined=heal_round.quarantined,
            original=heal_round.report,
            earlier_stages=request.earlier_stages,
            earlier_quarantine=request.earlier_quarantine,
        ),
        summary=f"verify {request.stage}: attempt {attempt.number}"
        + quarantine_count(heal_round.quarantined),
        timeout=7200,
    )
    verdict = "healed" if verified.verified else "tests_red"
    changed = {"verdict": verdict, "reason": verified.reason, "patch": verified.patch}
    changed["flaky"] = verified.flaky
    return attempt.model_copy(update=changed), verified.report if verified.verified else None


ACTIVITIES: dict[Role, list[object]] = {
    "runner": [
        propose_search_patch,
        write_model_prompt,
        read_model_reply,
        guard_patch,
        verify_patch,
    ],
    "healer": [check_model, ask_model],
}
