"""How a run ends: search attributes, details and report in every case, and cancellation."""

from typing import Any

import pytest
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError
from temporalio.exceptions import CancelledError
from temporalio.testing import WorkflowEnvironment

from tests.workflow.running import (
    Run,
    attributes_of,
    current_details,
    failure_of,
    report_of,
    send,
    start_run,
    states,
    waiting,
)
from tests.workflow.sample_answers import (
    ALL_GREEN,
    COMMIT,
    FULL,
    PULL_REQUEST,
    RED,
    UNIT_ONLY,
    fetched,
    passed,
    red,
    still_red,
)
from tests.workflow.scripted_activities import Held, Script, serving

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def script() -> Script:
    """A repository with every stage, all of them green."""
    made = Script(ALL_GREEN)
    made.answer("fetch_source", fetched(FULL))
    return made


async def _cancelled(run: Run) -> None:
    with pytest.raises(WorkflowFailureError) as caught:
        await run.result()
    assert isinstance(caught.value.cause, CancelledError)
    assert (await run.describe()).status is WorkflowExecutionStatus.CANCELED


@pytest.mark.parametrize(
    ("answers", "decision", "state", "stage", "attempts"),
    [
        ({}, None, "released", "release", 0),
        ({"fetch_source": fetched(UNIT_ONLY)}, None, "passed", "unit", 0),
        ({"run_tests": red(RED)}, "approve", "released", "release", 3),
        ({"run_tests": red(RED)}, "reject", "rejected", "approval", 3),
        ({"run_tests": red(RED)}, None, "expired", "approval", 3),
        ({"run_tests": red(RED), "verify_patch": still_red("x")}, None, "failed", "unit", 8),
    ],
    ids=["released", "passed", "approved", "rejected", "expired", "failed"],
)
async def test_the_search_attributes_at_the_end(
    env: WorkflowEnvironment,
    worker_client: Client,
    script: Script,
    answers: dict[str, Any],
    decision: str | None,
    state: str,
    stage: str,
    attempts: int,
) -> None:
    for name, answer in answers.items():
        script.answer(name, answer)
    async with serving(worker_client, script):
        with env.with_time_skipping_disabled():
            run = await start_run(env.client)
        if decision is not None:
            await waiting(run)
            await send(run, decision)
        await env.fast_forward(run) if state == "expired" else None
        if state in ("passed", "released"):
            report = await run.result()
        else:
            kind, report = await failure_of(run)
            assert kind == f"Pipeline{state.capitalize()}"
        details = await current_details(run)
        assert await report_of(run) == report
    assert report.state == state
    assert all(each.state is not None and not each.running for each in report.stages)
    assert details.startswith(f"**{state}** {report.reason}".strip())
    found = await attributes_of(run)
    shown = {key: found.get(f"Regreen{key}") for key in ("State", "Stage", "HealAttempts")}
    assert shown == {"State": state, "Stage": stage, "HealAttempts": attempts}
    assert found["RegreenRepository"] == report.request.repository
    assert (found["RegreenRef"], found["RegreenCommit"]) == ("main", COMMIT)
    healed = state != "failed" and attempts
    assert found.get("RegreenPullRequest") == (f"#{PULL_REQUEST.number}" if healed else None)


async def test_cancelled_in_a_test_stage(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    testing = Held(ALL_GREEN["run_tests"])
    script.answer("run_tests", testing)
    async with serving(worker_client, script):
        run = await start_run(env.client)
        await testing.reached.wait()
        await run.cancel()
        await _cancelled(run)
        report = await report_of(run)
        details = await current_details(run)
        unit = env.client.get_workflow_handle(f"{run.id}/unit")
        assert (await unit.describe()).status is WorkflowExecutionStatus.CANCELED
    assert report.state == "cancelled"
    found = states(report)
    assert (found.pop("build"), found.pop("unit")) == ("passed", "cancelled")
    assert set(found.values()) == {"skipped"}
    assert details.startswith("**cancelled**")
    assert "| unit | cancelled |" in details
    assert (await attributes_of(run))["RegreenState"] == "cancelled"


async def test_cancelled_while_several_stages_run(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    held = [Held(passed("late")) for _ in range(3)]
    for name, answer in zip(
        ("run_load_test", "scan_python", "package_distribution"), held, strict=True
    ):
        script.answer(name, answer)
    async with serving(worker_client, script):
        run = await start_run(env.client)
        for answer in held:
            await answer.reached.wait()
        await run.cancel()
        await _cancelled(run)
        report = await report_of(run)
    found = states(report)
    assert [found[name] for name in ("load", "security", "package")] == ["cancelled"] * 3
    assert (found["e2e"], found["approval"], found["release"]) == ("passed", "skipped", "skipped")
    # Every activity that was begun has ended before the run did.
    started = [line for line in script.timeline if line.endswith("starts")]
    assert len(script.timeline) == 2 * len(started)
    assert (await attributes_of(run))["RegreenState"] == "cancelled"


async def test_cancelled_while_it_waits_for_a_person(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    script.answer("run_tests", red(RED))
    async with serving(worker_client, script):
        with env.with_time_skipping_disabled():
            run = await start_run(env.client)
        await waiting(run)
        assert (await attributes_of(run))["RegreenState"] == "waiting"
        await run.cancel()
        await _cancelled(run)
        report = await report_of(run)
        assert "To decide" not in await current_details(run)
    assert (report.state, report.reason) == ("cancelled", "on request")
    assert states(report)["approval"] == "cancelled"
    assert "decide_pull_request" not in script.called


async def test_cancelled_while_the_source_is_fetched(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    fetching = Held(fetched(FULL))
    script.answer("fetch_source", fetching)
    async with serving(worker_client, script):
        run = await start_run(env.client)
        await fetching.reached.wait()
        await run.cancel()
        await _cancelled(run)
        report = await report_of(run)
    assert (report.state, set(states(report).values())) == ("cancelled", {"skipped"})


async def test_the_report_while_the_run_goes_on(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    fetching, testing = Held(fetched(FULL)), Held(ALL_GREEN["run_tests"])
    script.answer("fetch_source", fetching)
    script.answer("run_tests", testing)
    async with serving(worker_client, script):
        run = await start_run(env.client)
        await fetching.reached.wait()
        report = await report_of(run)
        assert (report.state, report.tree, report.sandbox) == ("running", "", "")
        assert (report.workflow_id, report.run_id) == (run.id, (await run.describe()).run_id)
        assert set(states(report).values()) == {None}
        fetching.release.set()
        await testing.reached.wait()
        report = await report_of(run)
        details = await current_details(run)
        build, unit, integration = report.stages[:3]
        assert (build.state, build.summary) == ("passed", "uv: 12 packages")
        assert (unit.state, unit.running) == (None, True)
        assert (integration.state, integration.running) == (None, False)
        assert (await attributes_of(run))["RegreenStage"] == "unit"
        assert "| stage | state | seconds | attempts | summary |" in details
        assert "| unit | running |" in details
        testing.release.set()
        assert (await run.result()).state == "released"
