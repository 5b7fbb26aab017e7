"""The heal loop of a test stage: attempts, what each is told, and the records of both."""

import pytest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from activities.model_prompt import ReadReply
from regreen.contracts.healing import GuardVerdict, Opened
from tests.workflow.running import RunStage, current_details, start_stage, verdicts
from tests.workflow.sample_answers import (
    ALL_GREEN,
    BOTH,
    GREEN,
    OPENAI,
    OTHER_RED,
    RED,
    SEARCH,
    proposal,
    red,
    ref,
    refused,
    reply,
    reproducible,
    still_red,
    verified,
)
from tests.workflow.scripted_activities import Held, Script, refusal, serving
from workflows.test_stage import TestStageWorkflow

pytestmark = pytest.mark.timeout(60)


async def test_green_tests_are_run_once_and_nothing_else_happens(
    run: RunStage, script: Script
) -> None:
    script.answer("run_tests", GREEN)
    result = await run(BOTH)
    assert (result.state, result.summary, result.attempts) == ("passed", "41 of 41 green", ())
    assert script.called == ["run_tests"]


async def test_the_first_patch_that_is_verified_heals(run: RunStage, script: Script) -> None:
    result = await run(BOTH, earlier=("lint",))
    assert result.state == "healed"
    assert verdicts(result) == [(1, "search", "healed")]
    assert result.heal is not None
    assert (result.heal.patch, result.heal.failing) == (ref("one.patch"), (RED,))
    assert result.attempts[0].patch == ref("one.patch")
    assert script.called == [
        *("run_tests", "triage_failures", "recall_failed_patches"),
        *("propose_search_patch", "guard_patch", "verify_patch"),
    ]
    [asked] = script.given("verify_patch")
    assert asked.earlier_stages == ("lint",)
    assert asked.original.collected_digest == GREEN.collected_digest


async def test_the_patch_that_verification_made_smaller_is_the_heal(
    run: RunStage, script: Script
) -> None:
    script.answer("verify_patch", verified("smaller.patch"))
    result = await run(SEARCH)
    assert result.heal is not None
    assert result.heal.patch == result.attempts[0].patch == ref("smaller.patch")


async def test_a_refused_patch_is_never_run_and_the_next_attempt_is_told(
    run: RunStage, script: Script
) -> None:
    script.answer("guard_patch", refused("assertion-removed"), ALL_GREEN["guard_patch"])
    result = await run(OPENAI)
    assert verdicts(result) == [(1, "openai", "refused"), (2, "openai", "healed")]
    reason = "assertion-removed at shop.py:7: an assertion is lost"
    assert result.attempts[0].reason == reason
    first, second = script.given("write_model_prompt")
    assert first.earlier == ()
    assert second.earlier == result.attempts[:1]
    assert len(script.given("verify_patch")) == 1


async def test_what_the_policy_opened_is_told_in_the_heal(run: RunStage, script: Script) -> None:
    opened = Opened(rule="lock-file", path="uv.lock", reason="the build writes it")
    script.answer("guard_patch", GuardVerdict(opened=(opened,)))
    result = await run(SEARCH)
    assert result.heal is not None
    assert result.heal.opened == result.attempts[0].opened == (opened,)


async def test_a_patch_that_leaves_tests_red_is_not_proposed_again(
    run: RunStage, script: Script
) -> None:
    script.answer("propose_search_patch", proposal("one.patch"), proposal("two.patch"))
    script.answer("verify_patch", still_red("one.patch"), verified("two.patch"))
    result = await run(SEARCH)
    assert verdicts(result) == [(1, "search", "tests_red"), (2, "search", "healed")]
    assert result.attempts[0].reason == f"{RED} still fails"
    first, second = script.given("propose_search_patch")
    assert (first.refused, second.refused) == ((), (ref("one.patch"),))
    assert (first.name, second.name) == ("unit-attempt-1.patch", "unit-attempt-2.patch")


async def test_tests_that_are_flaky_beside_red_ones_are_quarantined_for_the_heal(
    run: RunStage, script: Script
) -> None:
    script.answer("run_tests", red(RED, OTHER_RED))
    script.answer("triage_failures", reproducible(RED, flaky=(OTHER_RED,)))
    result = await run(SEARCH)
    assert (result.state, result.flaky) == ("healed", (OTHER_RED,))
    for name in ("propose_search_patch", "verify_patch"):
        [asked] = script.given(name)
        assert (asked.failing, asked.quarantined) == ((RED,), (OTHER_RED,))


async def test_one_malformed_reply_is_retried_without_costing_an_attempt(
    run: RunStage, script: Script
) -> None:
    script.answer("ask_model", reply("nonsense", tokens=700), reply("a patch", tokens=300))
    unread = ReadReply(malformed="no block found", feedback="write blocks")
    script.answer("read_model_reply", unread, ALL_GREEN["read_model_reply"])
    result = await run(OPENAI)
    assert verdicts(result) == [(1, "openai", "healed")]
    assert (result.attempts[0].tokens, result.attempts[0].cost_usd) == (1000, 1.0)
    first, second = script.given("ask_model")
    assert first.previous is None
    assert (second.previous.reply, second.previous.feedback) == (ref("nonsense"), "write blocks")


async def test_two_malformed_replies_are_an_attempt(run: RunStage, script: Script) -> None:
    unread = ReadReply(malformed="no block found", feedback="write blocks")
    script.answer("read_model_reply", unread, unread, ALL_GREEN["read_model_reply"])
    result = await run(OPENAI)
    assert verdicts(result) == [(1, "openai", "malformed"), (2, "openai", "healed")]
    assert (result.attempts[0].reason, result.attempts[0].tokens) == ("no block found", 2000)
    assert result.heal is not None
    assert (result.heal.tokens, result.heal.attempts) == (3000, 2)
    assert [asked.previous is None for asked in script.given("ask_model")] == [True, False, True]


async def test_a_test_that_verification_found_flaky_is_quarantined_from_then_on(
    run: RunStage, script: Script
) -> None:
    found = {"flaky": (OTHER_RED,)}
    script.answer("propose_search_patch", proposal("one.patch"), proposal("two.patch"))
    script.answer(
        "verify_patch",
        still_red("one.patch").model_copy(update=found),
        verified("two.patch"),
    )
    result = await run(SEARCH)
    assert (result.state, result.flaky) == ("healed", (OTHER_RED,))
    assert f"quarantined as flaky: {OTHER_RED}" in result.summary
    first, second = script.given("verify_patch")
    assert (first.quarantined, second.quarantined) == ((), (OTHER_RED,))


async def test_a_heal_carries_its_evidence(run: RunStage, script: Script) -> None:
    script.answer("propose_search_patch", proposal("one.patch"), proposal("two.patch"))
    script.answer("verify_patch", still_red("one.patch"), verified("two.patch"))
    result = await run(SEARCH)
    assert result.heal is not None
    evidence = result.heal.evidence
    assert evidence is not None
    [failure] = evidence.failures
    assert (failure.node_id, failure.exception, failure.message) == (
        RED,
        "AssertionError",
        "assert 90",
    )
    assert (evidence.before.failed, evidence.before.passed) == (1, 40)
    assert (evidence.after.failed, evidence.after.passed) == (0, 41)
    assert evidence.attempts == result.attempts
    assert evidence.verified == "41 of 41 green"
    assert evidence.triage == reproducible(RED)


async def test_an_error_of_verification_is_an_attempt_on_record(
    run: RunStage, script: Script
) -> None:
    script.answer("propose_search_patch", proposal("one.patch"), proposal("two.patch"))
    script.answer(
        "verify_patch",
        refusal("PatchDoesNotApply", "one.patch does not apply"),
        verified("two.patch"),
    )
    result = await run(SEARCH)
    assert result.state == "healed"
    first, second = result.attempts
    assert (first.verdict, first.reason) == ("error", "one.patch does not apply")
    assert (second.number, second.verdict) == (2, "healed")


async def test_the_attempts_so_far_can_be_asked_for_while_the_stage_heals(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    verifying = Held(verified("two.patch"))
    script.answer("propose_search_patch", proposal("one.patch"), proposal("two.patch"))
    script.answer("verify_patch", still_red("one.patch"), verifying)
    async with serving(worker_client, script):
        stage = await start_stage(env.client, SEARCH)
        await verifying.reached.wait()
        progress = await stage.query(TestStageWorkflow.progress)
        details = await current_details(stage)
        verifying.release.set()
        assert (await stage.result()).state == "healed"
    assert (progress.state, progress.summary) == (None, "heal attempt 2 of 8 (search)")
    assert verdicts(progress) == [(1, "search", "tests_red")]
    assert details.startswith("**heal attempt 2 of 8 (search)**")
    assert f"| 1 | search | tests_red | {RED} still fails |" in details
    assert "Triage: reproducible, fails each time" in details
    assert progress.triage == reproducible(RED)
