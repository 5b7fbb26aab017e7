"""Which healer is asked, and when the next one's turn comes."""

import pytest

from regreen.pipeline_file import TestSection
from tests.workflow.running import RunStage, verdicts
from tests.workflow.sample_answers import ALL_GREEN, BOTH, OPENAI, SEARCH, healing_with, proposal
from tests.workflow.scripted_activities import Script, refusal

pytestmark = pytest.mark.timeout(60)

NODE = TestSection(command=("node", "--test"), report="unit.xml")


async def test_a_stage_with_a_command_is_healed_by_the_model_and_costs_search_no_attempt(
    run: RunStage, script: Script
) -> None:
    result = await run(BOTH.model_copy(update={"unit": NODE}))
    assert verdicts(result) == [(1, "openai", "healed")]
    assert "propose_search_patch" not in script.called


async def test_search_alone_does_not_heal_a_stage_with_a_command(
    run: RunStage, script: Script
) -> None:
    result = await run(SEARCH.model_copy(update={"unit": NODE}))
    assert (result.state, result.attempts) == ("failed", ())
    assert result.summary.endswith("Not healed: search: search heals pytest stages only")


@pytest.mark.parametrize(
    ("order", "asked_first"),
    [(("search", "openai"), "propose_search_patch"), (("openai", "search"), "check_model")],
)
async def test_healers_are_asked_in_the_configured_order(
    run: RunStage, script: Script, order: tuple[str, ...], asked_first: str
) -> None:
    result = await run(healing_with(*order))
    assert verdicts(result) == [(1, order[0], "healed")]
    assert script.called[3] == asked_first


async def test_a_healer_that_found_nothing_gives_way_to_the_next(
    run: RunStage, script: Script
) -> None:
    script.answer("propose_search_patch", proposal(None))
    result = await run(BOTH)
    assert verdicts(result) == [(1, "search", "no_patch"), (2, "openai", "healed")]
    assert len(script.given("propose_search_patch")) == 1


async def test_a_model_that_is_not_configured_costs_no_attempt(
    run: RunStage, script: Script
) -> None:
    script.answer("check_model", refusal("ModelNotConfigured", "OPENAI_API_KEY is not set"))
    result = await run(healing_with("openai", "search"))
    assert verdicts(result) == [(1, "search", "healed")]


async def test_when_no_healer_is_left_the_stage_says_why_of_each(
    run: RunStage, script: Script
) -> None:
    script.answer("propose_search_patch", proposal(None))
    script.answer("check_model", refusal("ModelNotConfigured", "OPENAI_API_KEY is not set"))
    result = await run(BOTH)
    assert result.state == "failed"
    assert verdicts(result) == [(1, "search", "no_patch")]
    assert result.summary.endswith(
        "Not healed: search: no candidate passes; openai: OPENAI_API_KEY is not set"
    )


async def test_a_healer_that_cannot_work_is_an_attempt_with_its_error(
    run: RunStage, script: Script
) -> None:
    broken = refusal("ModelRefused", "the model answered 400")
    script.answer("ask_model", broken, ALL_GREEN["ask_model"])
    result = await run(OPENAI)
    assert verdicts(result) == [(1, "openai", "error"), (2, "openai", "healed")]
    assert result.attempts[0].reason == "the model answered 400"


async def test_a_passing_trouble_of_a_healer_costs_no_attempt(
    run: RunStage, script: Script
) -> None:
    script.answer("ask_model", RuntimeError("502"), RuntimeError("502"), ALL_GREEN["ask_model"])
    result = await run(OPENAI)
    assert verdicts(result) == [(1, "openai", "healed")]
    assert len(script.given("ask_model")) == 3
