"""A round of the model healer: candidates side by side, what it may spend, what it remembers."""

from collections.abc import Callable
from typing import Any

import pytest
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError, CancelledError
from temporalio.testing import WorkflowEnvironment

from activities.heal_guard import GuardRequest
from activities.model_prompt import ReadReply, ReplyRequest
from activities.patch_memory import FailedPatches
from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.healing import FailedPatch, GuardVerdict
from regreen.contracts.model import ModelReply, ModelRequest, ModelTerms
from regreen.contracts.source import Workspace
from regreen.pipeline_file import Pipeline
from tests.workflow.running import RunStage, failure_of, send, start_run, start_stage, waiting
from tests.workflow.sample_answers import (
    ALL_GREEN,
    RED,
    SIGNATURE,
    SOURCE,
    UNIT_ONLY,
    fetched,
    healing_with,
    prompts,
    proposal,
    red,
    ref,
    refused,
    reply,
    still_red,
    verified,
)
from tests.workflow.scripted_activities import Held, Script, refusal, serving

pytestmark = pytest.mark.timeout(60)

FINGERPRINT = Workspace(source=SOURCE).fingerprint


@pytest.fixture
def script() -> Script:
    """A unit stage with one test that fails each time, and three prompts for the model."""
    made = Script(ALL_GREEN)
    made.answer("run_tests", red(RED))
    made.answer("write_model_prompt", prompts(3))
    made.answer("ask_model", lambda asked: reply(asked.name, tokens=1000))
    return made


def with_candidates(count: int, *healers: str, **section: Any) -> Pipeline:
    return healing_with(*(healers or ("openai",)), model={"candidates": count}, **section)


def patch(name: str, size: int = 100) -> ArtifactRef:
    return ref(name).model_copy(update={"bytes": size})


def proposing(*patches: ArtifactRef) -> Callable[[ReplyRequest], ReadReply]:
    """The first candidate's reply holds the first patch, and so on."""

    def read(asked: ReplyRequest) -> ReadReply:
        number = int(asked.name.partition("candidate-")[2][0])
        return ReadReply(patch=patches[number - 1], explanation=f"reason {number}")

    return read


def as_written(asked: GuardRequest) -> GuardVerdict:
    """Nothing to refuse; patches are the same when their names begin with the same word."""
    return GuardVerdict(normal_form=asked.patch.name.partition("-")[0])


def remembered(name: str, verdict: str, **fields: Any) -> FailedPatch:
    known = {"healer": "openai", "reason": "one still fails", "patch": ref(name)}
    return FailedPatch.model_validate(known | {"verdict": verdict} | fields)


async def test_what_most_agree_on_is_verified_first_and_duplicates_once(
    run: RunStage, script: Script
) -> None:
    script.answer(
        "read_model_reply",
        proposing(patch("lone", 10), patch("shared-a", 300), patch("shared-b", 200)),
    )
    script.answer("guard_patch", as_written)
    script.answer("verify_patch", still_red("shared-b"), verified("lone"))
    result = await run(with_candidates(3))
    assert [asked.patch.name for asked in script.given("verify_patch")] == ["shared-b", "lone"]
    [attempt] = result.attempts
    assert (attempt.verdict, attempt.patch) == ("healed", ref("lone"))
    assert attempt.reason == (
        "candidate 1: healed, 41 of 41 green; candidate 2: says the same as another one; "
        f"candidate 3 (2 votes): tests_red, {RED} still fails"
    )
    assert (attempt.tokens, attempt.cost_usd) == (3000, 1.5)
    assert attempt.explanation == "reason 1"


async def test_of_equal_votes_the_smaller_patch_comes_first_and_the_rest_is_not_run(
    run: RunStage, script: Script
) -> None:
    script.answer("read_model_reply", proposing(patch("c", 30), patch("a", 10), patch("b", 20)))
    script.answer("guard_patch", as_written)
    result = await run(with_candidates(3))
    assert [asked.patch.name for asked in script.given("verify_patch")] == ["a"]
    assert "candidate 1: not run, for another one held" in result.attempts[0].reason


async def test_the_same_patch_is_guarded_once(run: RunStage, script: Script) -> None:
    script.answer("read_model_reply", proposing(patch("a"), patch("a"), patch("a")))
    await run(with_candidates(3))
    assert len(script.given("guard_patch")) == len(script.given("verify_patch")) == 1


async def test_candidates_are_asked_side_by_side(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    held = [Held(reply("a")), Held(reply("b")), Held(reply("c"))]
    script.answer("ask_model", *held)
    script.answer("read_model_reply", proposing(patch("a"), patch("b"), patch("c")))
    async with serving(worker_client, script):
        stage = await start_stage(env.client, with_candidates(3))
        for each in held:
            await each.reached.wait()
        for each in held:
            each.release.set()
        assert (await stage.result()).state == "healed"


async def test_a_cancelled_round_leaves_no_request_behind(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    held = [Held(reply("a")), Held(reply("b")), Held(reply("c"))]
    script.answer("ask_model", *held)
    async with serving(worker_client, script):
        stage = await start_stage(env.client, with_candidates(3))
        for each in held:
            await each.reached.wait()
        await stage.cancel()
        with pytest.raises(WorkflowFailureError) as caught:
            await stage.result()
        assert script.timeline.count("ask_model ends") == 3
    assert isinstance(caught.value.cause, CancelledError)


async def test_when_the_time_is_up_no_further_candidate_is_run(
    run: RunStage, script: Script
) -> None:
    script.answer("read_model_reply", proposing(patch("a", 1), patch("b", 2), patch("c", 3)))
    script.answer("guard_patch", as_written)
    # The pauses between the tries of verification pass on the workflow's own clock.
    script.answer("verify_patch", *[RuntimeError("no memory")] * 6, still_red("a"))
    result = await run(with_candidates(3, budget={"seconds": 25}))
    [attempt] = result.attempts
    assert attempt.verdict == "tests_red"
    used = "not run, for the budget of seconds is used up"
    assert attempt.reason.endswith(f"; candidate 2: {used}; candidate 3: {used}")


async def test_each_candidate_that_fails_is_told_and_none_spoils_the_round(
    run: RunStage, script: Script
) -> None:
    def ask(asked: ModelRequest) -> ModelReply:
        if "candidate-1" in asked.name:
            raise refusal("ModelRequestRejected", "the model's service answered 400: no")
        return reply(asked.name)

    def read(asked: ReplyRequest) -> ReadReply:
        if "candidate-2" in asked.name:
            return ReadReply(malformed="no block found", feedback="write blocks")
        return ReadReply(patch=patch("good"), explanation="right")

    script.answer("ask_model", ask)
    script.answer("read_model_reply", read)
    [attempt] = (await run(with_candidates(3))).attempts
    assert attempt.verdict == "healed"
    assert attempt.reason == (
        "candidate 1: error, the model's service answered 400: no; "
        "candidate 2: malformed, no block found; candidate 3: healed, 41 of 41 green"
    )
    assert attempt.tokens == 3000


async def test_the_round_has_the_verdict_of_the_candidate_that_came_furthest(
    run: RunStage, script: Script
) -> None:
    script.answer("read_model_reply", proposing(patch("a"), patch("b"), patch("c")))
    script.answer(
        "guard_patch",
        lambda asked: refused("test-file") if asked.patch.name == "a" else as_written(asked),
    )
    script.answer("verify_patch", lambda asked: still_red(asked.patch.name))
    result = await run(with_candidates(3, budget={"attempts": 1}))
    [attempt] = result.attempts
    assert (attempt.number, attempt.verdict) == (1, "tests_red")
    assert attempt.patch in (ref("b"), ref("c"))


async def test_no_more_candidates_than_the_budget_affords(run: RunStage, script: Script) -> None:
    # Three prompts of 500 tokens and their replies need 4,500 tokens at least; two need 3,000.
    script.answer("read_model_reply", proposing(patch("a"), patch("b"), patch("c")))
    await run(with_candidates(3, budget={"tokens": 4000}))
    assert [asked.max_output_tokens for asked in script.given("ask_model")] == [1500, 1500]


@pytest.mark.parametrize(
    ("budget", "most"),
    [
        ({}, 16_000),
        ({"tokens": 5_000}, 4_500),
        ({"cost_usd": 0.02}, 1_950),  # 0.0005 for the prompt, 0.00001 for each token of the reply
    ],
)
async def test_a_budget_that_is_nearly_used_bounds_the_reply(
    run: RunStage, script: Script, budget: dict[str, float], most: int
) -> None:
    script.answer("read_model_reply", ALL_GREEN["read_model_reply"])
    script.answer("write_model_prompt", prompts(1))
    await run(healing_with("openai", budget=budget))
    assert [asked.max_output_tokens for asked in script.given("ask_model")] == [most]


@pytest.mark.parametrize("budget", [{"tokens": 1_400}, {"cost_usd": 0.0004}, {"cost_usd": 0.01}])
async def test_no_request_is_made_that_the_budget_does_not_reach_for(
    run: RunStage, script: Script, budget: dict[str, float]
) -> None:
    result = await run(healing_with("openai", budget=budget))
    assert (result.state, result.attempts) == ("failed", ())
    assert "too little for a prompt of about 500 tokens and its reply" in result.summary
    assert script.given("ask_model") == []


async def test_the_second_try_of_a_malformed_reply_needs_budget_too(
    run: RunStage, script: Script
) -> None:
    script.answer("ask_model", reply("nonsense", tokens=2_000))
    script.answer("write_model_prompt", prompts(1))
    script.answer("read_model_reply", ReadReply(malformed="no block", feedback="write blocks"))
    result = await run(healing_with("openai", budget={"tokens": 3_000}))
    assert [(each.verdict, each.tokens) for each in result.attempts] == [("malformed", 2_000)]
    assert result.attempts[0].reason == "no block; the budget leaves no second try"


async def test_a_price_that_nobody_knows_and_estimated_tokens_are_told(
    run: RunStage, script: Script
) -> None:
    script.answer("check_model", ModelTerms(model="local"))
    script.answer("write_model_prompt", prompts(1))
    script.answer("ask_model", reply("a", cost_usd=0, price_known=False, estimated=True))
    [attempt] = (await run(healing_with("openai"))).attempts
    assert attempt.reason == (
        "41 of 41 green; tokens are estimates; the price of sample is not known"
    )


async def test_what_went_wrong_before_a_reply_could_be_used_is_told(
    run: RunStage, script: Script
) -> None:
    script.answer("write_model_prompt", prompts(1))
    script.answer("ask_model", reply("half", tries=3), reply("whole", tries=2))
    script.answer(
        "read_model_reply",
        ReadReply(malformed="the reply is incomplete", feedback="answer in full"),
        ALL_GREEN["read_model_reply"],
    )
    [attempt] = (await run(healing_with("openai"))).attempts
    assert attempt.reason == (
        "41 of 41 green; the service failed 3 times before it answered; "
        "the first reply could not be used: the reply is incomplete"
    )


async def test_waiting_for_the_model_ends_with_the_budget_of_seconds(
    run: RunStage, script: Script
) -> None:
    slow_down = ApplicationError("the model's service answered 429: slow down", type="ModelRate")
    script.answer("ask_model", slow_down)
    script.answer("write_model_prompt", prompts(1))
    result = await run(healing_with("openai", "search", budget={"seconds": 60}))
    # What the service asks to wait is longer than what is left, so nobody waits for it.
    told = [(each.healer, each.verdict) for each in result.attempts]
    assert told == [("openai", "error"), ("search", "healed")]
    assert result.attempts[0].reason == (
        "the budget of 60 seconds leaves no time to wait for the model: "
        "the model's service answered 429: slow down"
    )


async def test_a_model_that_nobody_serves_does_not_stop_a_run(
    run: RunStage, script: Script
) -> None:
    held = Held(ALL_GREEN["check_model"])
    script.answer("check_model", held)
    result = await run(healing_with("openai", budget={"seconds": 5}))
    assert (result.state, result.attempts) == ("failed", ())
    assert "the budget of 5 seconds leaves no time to wait for the model" in result.summary


async def test_a_key_that_is_rejected_is_asked_once_and_the_next_healer_takes_over(
    run: RunStage, script: Script
) -> None:
    script.answer("write_model_prompt", prompts(1))
    script.answer("ask_model", refusal("ModelKeyRejected", "the service rejects the key"))
    result = await run(healing_with("openai", "search"))
    told = [(each.number, each.healer, each.verdict) for each in result.attempts]
    assert told == [(1, "openai", "error"), (2, "search", "healed")]
    assert result.attempts[0].reason == "the service rejects the key"


async def test_a_patch_that_failed_before_is_not_run_again(run: RunStage, script: Script) -> None:
    script.answer("write_model_prompt", prompts(1))
    same = ReadReply(patch=patch("same-1"), explanation="again")
    script.answer("read_model_reply", same, same.model_copy(update={"patch": patch("same-2")}))
    script.answer("guard_patch", as_written)
    script.answer("verify_patch", still_red("same-1"))
    result = await run(healing_with("openai", budget={"attempts": 2}))
    assert [each.verdict for each in result.attempts] == ["tests_red", "refused"]
    assert result.attempts[1].reason == (
        f"proposed before, in attempt 1: tests_red, {RED} still fails"
    )
    assert len(script.given("verify_patch")) == 1


async def test_what_the_guard_refused_may_come_again_in_a_form_that_it_does_not_refuse(
    run: RunStage, script: Script
) -> None:
    script.answer("write_model_prompt", prompts(1))
    script.answer("guard_patch", refused("lost-comment"), GuardVerdict(normal_form="same"))
    result = await run(healing_with("openai"))
    assert [each.verdict for each in result.attempts] == ["refused", "healed"]


async def test_failed_patches_are_kept_for_later_runs(run: RunStage, script: Script) -> None:
    script.answer("read_model_reply", proposing(patch("a"), patch("b"), patch("good", 500)))
    script.answer(
        "guard_patch",
        lambda asked: refused("test-file") if asked.patch.name == "a" else as_written(asked),
    )
    script.answer("verify_patch", still_red("b"), verified("good"))
    assert (await run(with_candidates(3))).state == "healed"
    [kept] = script.given("remember_failed_patches")
    assert (kept.repository, kept.signature) == (SOURCE.repository, SIGNATURE)
    told = [(each.patch.name, each.verdict, each.workspace) for each in kept.patches]
    assert told == [("a", "refused", FINGERPRINT), ("b", "tests_red", FINGERPRINT)]


async def test_earlier_runs_are_told_to_the_model_and_the_search_healer(
    run: RunStage, script: Script
) -> None:
    here = remembered("red.patch", "tests_red", workspace=FINGERPRINT)
    elsewhere = remembered("other.patch", "tests_red", workspace="f" * 16)
    rejected = remembered("no.patch", "rejected")
    # The newest first, as the store gives them.
    script.answer("recall_failed_patches", FailedPatches(patches=(rejected, elsewhere, here)))
    script.answer("propose_search_patch", proposal(None))
    script.answer("write_model_prompt", prompts(1))
    await run(healing_with("search", "openai"))
    [search] = script.given("propose_search_patch")
    assert search.refused == (ref("red.patch"), ref("no.patch"))
    [prompt] = script.given("write_model_prompt")
    assert prompt.failed == (here, elsewhere, rejected)


@pytest.mark.parametrize(
    ("fields", "verdict"),
    [
        ({"verdict": "tests_red", "workspace": FINGERPRINT}, "refused"),
        ({"verdict": "tests_red", "workspace": "f" * 16}, "healed"),
        ({"verdict": "rejected", "workspace": "f" * 16}, "refused"),
    ],
)
async def test_what_failed_on_another_tree_may_hold_on_this_one_unless_a_person_rejected_it(
    run: RunStage, script: Script, fields: dict[str, str], verdict: str
) -> None:
    script.answer("write_model_prompt", prompts(1))
    known = remembered("model.patch", **fields)
    script.answer("recall_failed_patches", FailedPatches(patches=(known,)))
    result = await run(healing_with("openai", budget={"attempts": 1}))
    assert [each.verdict for each in result.attempts] == [verdict]


async def test_a_memory_that_does_not_answer_stops_nothing(run: RunStage, script: Script) -> None:
    script.answer("recall_failed_patches", refusal("StoreGone", "no bucket"))
    script.answer("remember_failed_patches", refusal("StoreGone", "no bucket"))
    script.answer("write_model_prompt", prompts(1))
    script.answer("verify_patch", still_red("model.patch"), verified("model.patch"))
    script.answer(
        "guard_patch", GuardVerdict(normal_form="one"), GuardVerdict(normal_form="another")
    )
    script.answer(
        "read_model_reply",
        ReadReply(patch=patch("one"), explanation="one"),
        ReadReply(patch=patch("another"), explanation="another"),
    )
    assert (await run(healing_with("openai"))).state == "healed"


async def test_a_heal_that_a_person_rejects_is_kept(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    script.answer("fetch_source", fetched(UNIT_ONLY))
    script.answer("guard_patch", GuardVerdict(normal_form="ab"))
    async with serving(worker_client, script):
        with env.with_time_skipping_disabled():
            run = await start_run(env.client)
        await waiting(run)
        await send(run, "reject", comment="this hides the bug")
        kind, _ = await failure_of(run)
    assert kind == "PipelineRejected"
    [kept] = script.given("remember_failed_patches")
    assert kept.signature == SIGNATURE
    [patch_kept] = kept.patches
    assert (patch_kept.verdict, patch_kept.patch) == ("rejected", ref("one.patch"))
    assert patch_kept.normal_form == "ab"
    assert "this hides the bug" in patch_kept.reason
