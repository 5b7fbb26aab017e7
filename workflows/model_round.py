"""One round of the model healer: prompts, replies side by side, and the patches in them."""

from dataclasses import dataclass, field

from temporalio import workflow
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    RetryState,
    TimeoutType,
    is_cancelled_exception,
)
from temporalio.exceptions import TimeoutError as TimedOut

with workflow.unsafe.imports_passed_through():
    from activities.model_prompt import (
        Prompt,
        PromptRequest,
        Prompts,
        ReplyRequest,
        read_model_reply,
        write_model_prompt,
    )
    from activities.openai_responses import ask_model, check_model
    from regreen.contracts.model import (
        ModelCheck,
        ModelExchange,
        ModelReply,
        ModelRequest,
        ModelTerms,
    )
    from regreen.counted import counted
    from regreen.roles import Role
    from workflows.calls import call
    from workflows.failures import last_message, one_line
    from workflows.heal_round import Candidate, Exhausted, HealRound
    from workflows.model_budget import Allowance, too_little, what_is_left
    from workflows.side_by_side import side_by_side

# Asking again in the same run is no use.
_FINAL = {
    "ModelNotConfigured",
    "ModelKeyRejected",
    "ModelAccessDenied",
    "ModelNotFound",
    "ModelQuotaExhausted",
}
_LONGEST_PREVIOUS_TOKENS = 10_000
_FEEDBACK_TOKENS = 500


@dataclass
class ModelRound:
    """What the model proposed, and what that cost."""

    candidates: list[Candidate] = field(default_factory=list)
    replies: list[ModelReply] = field(default_factory=list)
    prompts: list[str] = field(default_factory=list)
    """SHA-256 of the prompts that were sent, in the order of the candidates."""
    unusable: list[str] = field(default_factory=list)
    """Why first replies could not be used where the second could."""
    exhausted: str = ""
    """Why it is no use to ask the model again; empty when it is."""

    @property
    def model(self) -> str:
        """Who answered, as the service names it; empty when nobody did."""
        return ", ".join(sorted({each.model for each in self.replies}))

    @property
    def remarks(self) -> str:
        """What else a person must know; begins with a semicolon when not empty."""
        failed = sum(each.tries - 1 for each in self.replies)
        told = (
            [f"the service failed {counted(failed, 'time')} before it answered"] if failed else []
        )
        told += [f"the first reply could not be used: {why}" for why in self.unusable]
        told += ["tokens are estimates"] if any(each.estimated for each in self.replies) else []
        unpriced = sorted({each.model for each in self.replies if not each.price_known})
        told += [f"the price of {model} is not known" for model in unpriced]
        return "".join(f"; {each}" for each in told)


async def ask_for_patches(number: int, heal_round: HealRound) -> ModelRound | Exhausted:
    """Ask for as many candidates as the pipeline wants and the budget allows."""
    stage = heal_round.request.stage
    settings = heal_round.request.pipeline.heal.model
    try:
        terms = await call(
            "healer",
            check_model,
            ModelCheck(stage=stage),
            summary="openai: configured?",
            timeout=30,
            within=max(heal_round.seconds_left, 1.0),
        )
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise
        return Exhausted(_why(error, heal_round))
    prompts = await call(
        "runner",
        write_model_prompt,
        PromptRequest(
            **heal_round.stage_fields,
            report=heal_round.report,
            failing=heal_round.triage.failing,
            earlier=heal_round.earlier,
            failed=heal_round.failed,
        ),
        summary=f"prompt {stage}: attempt {number}",
        timeout=4 * heal_round.request.pipeline.heal.search_seconds + 900,
    )
    left = what_is_left(heal_round.request.pipeline.heal.budget, heal_round.earlier)
    longest = max(prompt.tokens for prompt in prompts.prompts)
    for wanted in range(len(prompts.prompts), 0, -1):
        share = left.part(wanted)
        if share.output_tokens(longest, terms.price, settings.output_tokens):
            break
    else:
        return Exhausted(too_little(left, longest))
    if heal_round.seconds_left <= 0:
        return Exhausted(_time_is_up(heal_round))
    asked = ModelRound(prompts=[each.prompt.sha256 for each in prompts.prompts[:wanted]])
    conversations = [
        _Conversation(heal_round, asked, terms, prompts, share, number, index).propose(prompt)
        for index, prompt in enumerate(prompts.prompts[:wanted])
    ]
    asked.candidates = await side_by_side(conversations)
    return asked


@dataclass
class _Conversation:
    """One candidate: a request, and a second one when the reply cannot be read."""

    heal_round: HealRound
    asked: ModelRound
    terms: ModelTerms
    prompts: Prompts
    left: Allowance
    number: int
    index: int

    async def propose(self, prompt: Prompt) -> Candidate:
        try:
            return await self._propose(prompt)
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            if _is_final(error):
                self.asked.exhausted = _why(error, self.heal_round)
            return Candidate(None, verdict="error", reason=_why(error, self.heal_round))

    async def _propose(self, prompt: Prompt) -> Candidate:
        previous, input_tokens, malformed = None, prompt.tokens, ""
        for again in ("", "-again"):
            most = self.heal_round.request.pipeline.heal.model.output_tokens
            output_tokens = self.left.output_tokens(input_tokens, self.terms.price, most)
            if not output_tokens:
                malformed += "; the budget leaves no second try"
                break
            reply = await self._ask(prompt, previous, output_tokens, again)
            self.asked.replies.append(reply)
            self.left = self.left.without(reply)
            edits = await call(
                "runner",
                read_model_reply,
                ReplyRequest(
                    **self.heal_round.stage_fields,
                    reply=reply.reply,
                    malformed=reply.malformed,
                    name=f"{self._name}.patch",
                ),
                summary=f"edits {self._subject}",
            )
            if edits.patch is not None:
                if malformed:
                    self.asked.unusable.append(malformed)
                return Candidate(edits.patch, edits.explanation)
            malformed = edits.malformed
            previous = ModelExchange(reply=reply.reply, feedback=edits.feedback)
            repeated = min(reply.reply.bytes // 2, _LONGEST_PREVIOUS_TOKENS)
            input_tokens = prompt.tokens + repeated + _FEEDBACK_TOKENS
        return Candidate(None, verdict="malformed", reason=malformed)

    async def _ask(
        self, prompt: Prompt, previous: ModelExchange | None, output_tokens: int, again: str
    ) -> ModelReply:
        # One try may take all that is left: how long it may wait, the healer's settings say.
        left = max(self.heal_round.seconds_left, 1.0)
        return await call(
            "healer",
            ask_model,
            ModelRequest(
                instructions=self.prompts.instructions,
                prompt=prompt.prompt,
                previous=previous,
                max_output_tokens=output_tokens,
                name=f"{self._name}{again}.reply.txt",
            ),
            summary=f"openai {self._subject}" + (", format retry" if again else ""),
            timeout=left,
            within=left,
        )

    @property
    def _name(self) -> str:
        several = len(self.prompts.prompts) > 1
        which = f"-candidate-{self.index + 1}" if several else ""
        return f"{self.heal_round.request.stage}-attempt-{self.number}{which}"

    @property
    def _subject(self) -> str:
        several = len(self.prompts.prompts) > 1
        which = f", candidate {self.index + 1}" if several else ""
        return f"{self.heal_round.request.stage}: attempt {self.number}{which}"


def _is_final(error: ActivityError) -> bool:
    cause = error.cause
    kind = cause.type if isinstance(cause, ApplicationError) else None
    return kind in _FINAL or _out_of_time(error)


def _out_of_time(error: ActivityError) -> bool:
    cause = error.cause
    waited = isinstance(cause, TimedOut) and cause.type == TimeoutType.SCHEDULE_TO_CLOSE
    return waited or error.retry_state == RetryState.TIMEOUT


def _why(error: ActivityError, heal_round: HealRound) -> str:
    if not _out_of_time(error):
        return one_line(error)
    last = last_message(error)
    return _time_is_up(heal_round) + (f": {last}" if last else "")


def _time_is_up(heal_round: HealRound) -> str:
    seconds = heal_round.request.pipeline.heal.budget.seconds
    return f"the budget of {seconds:g} seconds leaves no time to wait for the model"


ACTIVITIES: dict[Role, list[object]] = {
    "runner": [write_model_prompt, read_model_reply],
    "healer": [check_model, ask_model],
}
