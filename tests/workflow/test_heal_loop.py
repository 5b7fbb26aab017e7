"""TestStageWorkflow: triage, the heal loop, its records and its budgets."""

from collections.abc import Awaitable, Callable

import pytest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from activities.model_prompt import ReadReply
from regreen.contracts.healing import GuardVerdict, Opened
from regreen.contracts.test_stage import TestStageResult
from regreen.contracts.testing import Evidence, TestReport, Triage
from regreen.pipeline_file import Pipeline, TestSection
from tests.workflow.running import current_details, run_stage, start_stage
from tests.workflow.sample_answers import (
    ALL_GREEN,
    GREEN,
    OTHER_RED,
    RED,
    healing_with,
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

SEARCH = healing_with("search")
OPENAI = healing_with("openai")
BOTH = healing_with("search", "openai")
INFRASTRUCTURE = Triage(kind="infrastructure", reason="No module named 'numpy'")


@pytest.fixture
def script() -> Script:
    """A unit stage with one test that fails each time, which the first patch mends."""
    made = Script(ALL_GREEN)
    made.answer("run_tests", red(RED))
    return made


RunStage = Callable[..., Awaitable[TestStageResult]]


@pytest.fixture
def run(env: WorkflowEnvironment, worker_client: Client, script: Script) -> RunStage:
    """Runs the unit stage of a pipeline against the script."""

    async def to_its_end(pipeline: Pipeline, **more: tuple[str, ...]) -> TestStageResult:
        async with serving(worker_client, script):
            return await run_stage(env.client, pipeline, **more)

    return to_its_end


def _verdicts(result: TestStageResult) -> list[tuple[int, str, str]]:
    return [(each.number, each.healer, each.verdict) for each in result.attempts]


NODE = TestSection(command=("node", "--test"), report="unit.xml")


async def test_a_stage_with_a_command_is_healed_by_the_model_and_costs_search_no_attempt(
    run: RunStage, script: Script
) -> None:
    result = await run(BOTH.model_copy(update={"unit": NODE}))
    assert _verdicts(result) == [(1, "openai", "healed")]
    assert "propose_search_patch" not in script.called


async def test_search_alone_does_not_heal_a_stage_with_a_command(
    run: RunStage, script: Script
) -> None:
    result = await run(SEARCH.model_copy(update={"unit": NODE}))
    assert (result.state, result.attempts) == ("failed", ())
    assert result.summary.endswith("Not healed: search: search heals pytest stages only")


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
    assert _verdicts(result) == [(1, "search", "healed")]
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
    assert _verdicts(result) == [(1, "openai", "refused"), (2, "openai", "healed")]
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
    assert _verdicts(result) == [(1, "search", "tests_red"), (2, "search", "healed")]
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
    assert _verdicts(result) == [(1, "openai", "healed")]
    assert (result.attempts[0].tokens, result.attempts[0].cost_usd) == (1000, 1.0)
    first, second = script.given("ask_model")
    assert first.previous is None
    assert (second.previous.reply, second.previous.feedback) == (ref("nonsense"), "write blocks")


async def test_two_malformed_replies_are_an_attempt(run: RunStage, script: Script) -> None:
    unread = ReadReply(malformed="no block found", feedback="write blocks")
    script.answer("read_model_reply", unread, unread, ALL_GREEN["read_model_reply"])
    result = await run(OPENAI)
    assert _verdicts(result) == [(1, "openai", "malformed"), (2, "openai", "healed")]
    assert (result.attempts[0].reason, result.attempts[0].tokens) == ("no block found", 2000)
    assert result.heal is not None
    assert (result.heal.tokens, result.heal.attempts) == (3000, 2)
    assert [asked.previous is None for asked in script.given("ask_model")] == [True, False, True]


@pytest.mark.parametrize(("budget", "attempts"), [({}, 8), ({"attempts": 2}, 2)])
async def test_no_more_attempts_than_the_budget(
    run: RunStage, script: Script, budget: dict[str, int], attempts: int
) -> None:
    script.answer("verify_patch", lambda request: still_red(request.patch.name))
    result = await run(healing_with("search", budget=budget))
    assert result.state == "failed"
    assert [each.number for each in result.attempts] == list(range(1, attempts + 1))
    assert result.heal is None
    assert result.summary == (
        f"1 of 41 failing, first {RED}: assert 90 (fails each time). "
        f"Not healed: all {attempts} attempts used"
    )


@pytest.mark.parametrize(
    ("pipeline", "why"),
    [
        (healing_with("search", budget={"attempts": 0}), "all 0 attempts used"),
        (healing_with(), "no healers configured"),
    ],
)
async def test_without_attempts_or_healers_nothing_is_tried(
    run: RunStage, script: Script, pipeline: Pipeline, why: str
) -> None:
    result = await run(pipeline)
    assert (result.state, result.attempts) == ("failed", ())
    assert result.summary.endswith(why)
    assert script.called == ["run_tests", "triage_failures"]


@pytest.mark.parametrize(
    ("order", "asked_first"),
    [(("search", "openai"), "propose_search_patch"), (("openai", "search"), "check_model")],
)
async def test_healers_are_asked_in_the_configured_order(
    run: RunStage, script: Script, order: tuple[str, ...], asked_first: str
) -> None:
    result = await run(healing_with(*order))
    assert _verdicts(result) == [(1, order[0], "healed")]
    assert script.called[3] == asked_first


async def test_a_healer_that_found_nothing_gives_way_to_the_next(
    run: RunStage, script: Script
) -> None:
    script.answer("propose_search_patch", proposal(None))
    result = await run(BOTH)
    assert _verdicts(result) == [(1, "search", "no_patch"), (2, "openai", "healed")]
    assert len(script.given("propose_search_patch")) == 1


async def test_a_model_that_is_not_configured_costs_no_attempt(
    run: RunStage, script: Script
) -> None:
    script.answer("check_model", refusal("ModelNotConfigured", "OPENAI_API_KEY is not set"))
    result = await run(healing_with("openai", "search"))
    assert _verdicts(result) == [(1, "search", "healed")]


async def test_when_no_healer_is_left_the_stage_says_why_of_each(
    run: RunStage, script: Script
) -> None:
    script.answer("propose_search_patch", proposal(None))
    script.answer("check_model", refusal("ModelNotConfigured", "OPENAI_API_KEY is not set"))
    result = await run(BOTH)
    assert result.state == "failed"
    assert _verdicts(result) == [(1, "search", "no_patch")]
    assert result.summary.endswith(
        "Not healed: search: no candidate passes; openai: OPENAI_API_KEY is not set"
    )


async def test_a_healer_that_cannot_work_is_an_attempt_with_its_error(
    run: RunStage, script: Script
) -> None:
    broken = refusal("ModelRefused", "the model answered 400")
    script.answer("ask_model", broken, ALL_GREEN["ask_model"])
    result = await run(OPENAI)
    assert _verdicts(result) == [(1, "openai", "error"), (2, "openai", "healed")]
    assert result.attempts[0].reason == "the model answered 400"


async def test_a_passing_trouble_of_a_healer_costs_no_attempt(
    run: RunStage, script: Script
) -> None:
    script.answer("ask_model", RuntimeError("502"), RuntimeError("502"), ALL_GREEN["ask_model"])
    result = await run(OPENAI)
    assert _verdicts(result) == [(1, "openai", "healed")]
    assert len(script.given("ask_model")) == 3


async def test_infrastructure_is_retried_and_never_healed(run: RunStage, script: Script) -> None:
    script.answer("triage_failures", INFRASTRUCTURE)
    result = await run(BOTH)
    assert result.state == "failed"
    assert result.summary == "infrastructure: No module named 'numpy'"
    assert result.attempts == ()
    assert script.called == ["run_tests", "triage_failures"] * 3


async def test_infrastructure_that_comes_back_passes(run: RunStage, script: Script) -> None:
    script.answer("run_tests", red(RED), GREEN)
    script.answer("triage_failures", INFRASTRUCTURE)
    assert (await run(BOTH)).state == "passed"


async def test_infrastructure_that_comes_back_shows_a_real_failure(
    run: RunStage, script: Script
) -> None:
    script.answer("triage_failures", INFRASTRUCTURE, reproducible(RED))
    assert _verdicts(await run(BOTH)) == [(1, "search", "healed")]


async def test_a_retry_in_which_the_runner_breaks_has_failed(run: RunStage, script: Script) -> None:
    broken = GREEN.model_copy(update={"outcome": "broken", "detail": "pytest was killed"})
    script.answer("run_tests", red(RED), broken)
    nothing_failing = Triage(kind="flaky", reason="every failing test passed when run again")
    script.answer("triage_failures", INFRASTRUCTURE, nothing_failing)
    result = await run(BOTH)
    assert (result.state, result.summary) == ("failed", "pytest was killed")


async def test_what_the_commit_made_order_dependent_is_not_quarantined(
    run: RunStage, script: Script
) -> None:
    of_all = {"flaky": (RED,), "order_dependent": (RED,), "regressed": (RED,)}
    script.answer("triage_failures", Triage(kind="flaky", reason="since this commit", **of_all))
    result = await run(BOTH)
    assert (result.state, result.attempts, result.flaky) == ("failed", (), ())
    assert result.summary == f"flaky: {RED} (since this commit)"


@pytest.mark.parametrize(("policy", "state"), [("quarantine", "passed"), ("fail", "failed")])
async def test_flaky_tests_are_named_and_cost_no_attempt(
    run: RunStage, script: Script, policy: str, state: str
) -> None:
    script.answer("triage_failures", Triage(kind="flaky", reason="passes", flaky=(RED,)))
    result = await run(healing_with("search", flaky=policy))
    assert (result.state, result.attempts) == (state, ())
    assert f"flaky: {RED} (passes)" in result.summary
    assert result.flaky == ((RED,) if policy == "quarantine" else ())
    assert "propose_search_patch" not in script.called


def _nothing_ran(outcome: str, detail: str) -> TestReport:
    empty = {"outcome": outcome, "total": 0, "passed": 0, "detail": detail}
    return TestReport.model_validate(GREEN.model_dump() | empty)


async def test_a_stage_without_tests_has_failed(run: RunStage, script: Script) -> None:
    script.answer("run_tests", _nothing_ran("no_tests", "no test was collected"))
    result = await run(BOTH)
    assert (result.state, result.summary) == ("failed", "no test was collected")
    assert script.called == ["run_tests"]


async def test_a_runner_that_the_repository_breaks_has_failed(
    run: RunStage, script: Script
) -> None:
    script.answer("run_tests", _nothing_ran("broken", "pytest ended with exit code 4"))
    script.answer("triage_failures", Triage(kind="reproducible", reason="exit code 4"))
    result = await run(BOTH)
    assert (result.state, result.summary) == ("failed", "pytest ended with exit code 4")
    assert (result.triage, result.attempts) == (None, ())
    assert script.called == ["run_tests", "triage_failures"]


async def test_a_runner_that_was_killed_is_run_again_and_may_pass(
    run: RunStage, script: Script
) -> None:
    script.answer("run_tests", _nothing_ran("broken", "exit code 137"), GREEN)
    script.answer("triage_failures", INFRASTRUCTURE)
    assert (await run(BOTH)).state == "passed"


async def test_what_is_missing_for_good_is_not_waited_for(run: RunStage, script: Script) -> None:
    lasting = INFRASTRUCTURE.model_copy(update={"lasting": True})
    script.answer("triage_failures", lasting)
    result = await run(BOTH)
    assert (result.state, result.triage) == ("failed", lasting)
    assert result.summary == "infrastructure: No module named 'numpy'"
    assert script.called == ["run_tests", "triage_failures"]


UPSTREAM = Triage(
    kind="upstream",
    reason="fails each time",
    failing=(RED,),
    upstream=(RED,),
    parent="b" * 40,
    evidence=(Evidence(check="the failing tests on the parent", runs=1, result="1 of 1"),),
)


@pytest.mark.parametrize(("policy", "state"), [("heal", "healed"), ("fail", "failed")])
async def test_what_was_red_on_the_parent_is_healed_or_not_and_always_said(
    run: RunStage, script: Script, policy: str, state: str
) -> None:
    script.answer("triage_failures", UPSTREAM)
    result = await run(healing_with("search", upstream=policy))
    assert result.state == state
    assert result.summary.startswith("upstream: already red on the parent commit bbbbbbbbbbbb; ")
    assert len(result.attempts) == (1 if policy == "heal" else 0)
    assert result.triage == UPSTREAM


async def test_what_was_red_on_the_parent_and_is_not_healed_says_both(
    run: RunStage, script: Script
) -> None:
    script.answer("triage_failures", UPSTREAM)
    script.answer("propose_search_patch", proposal(None))
    result = await run(SEARCH)
    assert result.state == "failed"
    assert result.summary.startswith("upstream: already red on the parent commit bbbbbbbbbbbb; ")
    assert result.summary.endswith("Not healed: search: no candidate passes")


@pytest.mark.parametrize("policy", ["heal", "fail"])
async def test_a_part_that_was_red_on_the_parent_is_told_as_a_part(
    run: RunStage, script: Script, policy: str
) -> None:
    script.answer("run_tests", red(RED, OTHER_RED))
    changes = {"kind": "reproducible", "failing": (RED, OTHER_RED)}
    script.answer("triage_failures", UPSTREAM.model_copy(update=changes))
    result = await run(healing_with("search", upstream=policy))
    assert result.summary.startswith(
        "upstream: 1 of 2 failing already red on the parent commit bbbbbbbbbbbb; "
    )
    assert len(result.attempts) == (1 if policy == "heal" else 0)


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


@pytest.mark.parametrize(
    ("budget", "why"),
    [
        (
            {"tokens": 3600},
            "openai: the budget leaves 600 tokens and 3.50 USD, too little for a prompt of about "
            "500 tokens and its reply",
        ),
        ({"cost_usd": 1.2}, "openai: budget of 1.2 USD used"),
    ],
)
async def test_a_budget_that_is_used_up_stops_the_loop(
    run: RunStage, script: Script, budget: dict[str, float], why: str
) -> None:
    # Each attempt costs 1,000 tokens and half a dollar.
    script.answer("verify_patch", lambda request: still_red(request.patch.name))
    result = await run(healing_with("openai", budget=budget))
    assert (result.state, len(result.attempts)) == ("failed", 3)
    assert result.summary.endswith(f"Not healed: {why}")


async def test_the_budget_of_time_counts_the_waiting_for_a_healer(
    run: RunStage, script: Script
) -> None:
    # The pause between retries passes on the workflow's own clock.
    script.answer("propose_search_patch", *[RuntimeError("no memory")] * 6, proposal("one.patch"))
    script.answer("verify_patch", lambda request: still_red(request.patch.name))
    result = await run(healing_with("search", budget={"seconds": 10}))
    assert (result.state, len(result.attempts)) == ("failed", 1)
    assert result.summary.endswith("Not healed: search: budget of 10 seconds used")


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


async def test_an_error_of_triage_ends_the_stage_with_its_line(
    run: RunStage, script: Script
) -> None:
    script.answer("triage_failures", refusal("ToolMissing", "uv not found"))
    result = await run(SEARCH)
    assert (result.state, result.summary, result.attempts) == ("failed", "uv not found", ())


async def test_more_failures_than_were_examined_are_not_called_flaky(
    run: RunStage, script: Script
) -> None:
    report = red(RED)
    script.answer("run_tests", report.model_copy(update={"failed": len(report.failures) + 1}))
    script.answer("triage_failures", Triage(kind="flaky", reason="passes", flaky=(RED,)))
    result = await run(SEARCH)
    assert result.state == "failed"
    assert "were examined" in result.summary


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
    assert _verdicts(progress) == [(1, "search", "tests_red")]
    assert details.startswith("**heal attempt 2 of 8 (search)**")
    assert f"| 1 | search | tests_red | {RED} still fails |" in details
    assert "Triage: reproducible, fails each time" in details
    assert progress.triage == reproducible(RED)
