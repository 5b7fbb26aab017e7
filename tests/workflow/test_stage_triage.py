"""Triage of a red test stage: infrastructure, flaky, upstream, or nothing that ran."""

import pytest

from regreen.contracts.testing import Evidence, TestReport, Triage
from tests.workflow.running import RunStage, verdicts
from tests.workflow.sample_answers import (
    BOTH,
    GREEN,
    OTHER_RED,
    RED,
    SEARCH,
    healing_with,
    proposal,
    red,
    reproducible,
)
from tests.workflow.scripted_activities import Script, refusal

pytestmark = pytest.mark.timeout(60)

INFRASTRUCTURE = Triage(kind="infrastructure", reason="No module named 'numpy'")

UPSTREAM = Triage(
    kind="upstream",
    reason="fails each time",
    failing=(RED,),
    upstream=(RED,),
    parent="b" * 40,
    evidence=(Evidence(check="the failing tests on the parent", runs=1, result="1 of 1"),),
)


def _nothing_ran(outcome: str, detail: str) -> TestReport:
    empty = {"outcome": outcome, "total": 0, "passed": 0, "detail": detail}
    return TestReport.model_validate(GREEN.model_dump() | empty)


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
    assert verdicts(await run(BOTH)) == [(1, "search", "healed")]


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
