"""What a stage's heal budget allows: attempts, tokens, money and time."""

import pytest

from regreen.pipeline_file import Pipeline
from tests.workflow.running import RunStage
from tests.workflow.sample_answers import RED, healing_with, proposal, red, still_red
from tests.workflow.scripted_activities import Script

pytestmark = pytest.mark.timeout(60)


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


async def test_a_summary_shows_no_secret_that_a_test_prints(run: RunStage, script: Script) -> None:
    report = red(RED)
    [failure] = report.failures
    failure = failure.model_copy(update={"message": f"assert ghp_{'a' * 36} == 1"})
    script.answer("run_tests", report.model_copy(update={"failures": (failure,)}))

    result = await run(healing_with())

    assert result.summary.startswith(f"1 of 41 failing, first {RED}: assert [redacted] == 1 (")


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
