"""The approval stage: who must approve, what counts as a decision, reminders and expiry."""

from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner

import workers.worker
from regreen.pipeline_file import ApprovalSection, Pipeline
from tests.workflow.running import (
    current_details,
    failure_of,
    recorded,
    report_of,
    send,
    start_run,
    states,
    waiting,
)
from tests.workflow.sample_answers import (
    ALL_GREEN,
    PULL_REQUEST,
    RED,
    SOURCE,
    UNIT_ONLY,
    fetched,
    finding,
    passed,
    red,
    scanned,
    waiver,
    weighed_with,
)
from tests.workflow.scripted_activities import Held, Script, serving
from workflows.stages import approval

pytestmark = pytest.mark.timeout(60)

DAY = timedelta(days=1)


def _approved(required: str, **more: str) -> Pipeline:
    section = ApprovalSection.model_validate({"required": required} | more)
    return UNIT_ONLY.model_copy(update={"approval": section})


@pytest.fixture
def script() -> Script:
    """A green run that waits for approval, with reminders every day, for a week."""
    made = Script(ALL_GREEN)
    made.answer("fetch_source", fetched(_approved("always")))
    return made


def _heal(script: Script) -> None:
    script.answer("run_tests", red(RED))


async def test_a_week_of_reminders_then_the_run_expires(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    _heal(script)
    async with serving(worker_client, script):
        kind, report = await failure_of(await start_run(env.client))
    assert (kind, report.state) == ("PipelineExpired", "expired")
    assert report.reason == "no decision within 7 days, 0:00:00"
    assert states(report)["approval"] == "failed"
    comments = script.given("comment_on_pull_request")
    assert [comment.key for comment in comments] == [f"reminder-{n}" for n in range(1, 7)]
    assert f"regreen approve {report.workflow_id}" in comments[0].text
    events = recorded(script, "reminder")
    assert [event.fields["key"] for event in events] == [f"reminder-{n}" for n in range(1, 7)]
    assert len({event.time for event in events}) == 6
    assert "decide_pull_request" not in script.called


async def test_a_forge_that_takes_no_reminder_ends_no_wait(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    _heal(script)
    away = ApplicationError("GitHub did not answer: Timeout", type="ForgeUnreachable")
    script.answer("comment_on_pull_request", away)
    async with serving(worker_client, script):
        kind, report = await failure_of(await start_run(env.client))
    assert (kind, report.reason) == ("PipelineExpired", "no decision within 7 days, 0:00:00")
    assert len(recorded(script, "not-told")) == len(recorded(script, "reminder")) == 6
    assert recorded(script, "not-told")[-1].detail == "reminder 6: GitHub did not answer: Timeout"


async def test_a_wait_ends_before_its_history_is_full(
    env: WorkflowEnvironment,
    worker_client: Client,
    script: Script,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Thirty thousand events take minutes, and what the sandbox loads again cannot be changed.
    monkeypatch.setattr(workers.worker, "workflow_runner", UnsandboxedWorkflowRunner)
    monkeypatch.setattr(approval, "_MOST_EVENTS", 150)
    script.answer("fetch_source", fetched(_approved("always", reminder="1m", expires="30d")))
    async with serving(worker_client, script):
        run = await start_run(env.client)
        kind, report = await failure_of(run)
    assert (kind, report.state) == ("PipelineExpired", "expired")
    assert report.reason.startswith("the history is full, with 1")
    history = await run.fetch_history()
    assert 150 <= len(history.events) < 200
    assert recorded(script, "run-ended")


async def test_reminders_come_as_often_as_configured(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    script.answer("fetch_source", fetched(_approved("always", reminder="7h", expires="2d")))
    async with serving(worker_client, script):
        _, report = await failure_of(await start_run(env.client))
    assert report.state == "expired"
    assert len(recorded(script, "reminder")) == 6
    # Without a heal there is no pull request to comment on.
    assert "comment_on_pull_request" not in script.called


async def test_approved_on_the_third_day(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    _heal(script)
    async with serving(worker_client, script):
        with env.with_time_skipping_disabled():
            run = await start_run(env.client)
        assert (await waiting(run)).reason == "approval of #1"
        assert await env.fast_forward(run, 2.5 * DAY)
        assert len(recorded(script, "reminder")) == 2
        comment = "good\n\n::error::forged \x1b[31m"
        await send(run, "approve", comment=comment, source="webhook", tree=PULL_REQUEST.tree)
        report = await run.result()
    assert report.state == "passed"
    [approval] = [stage for stage in report.stages if stage.name == "approval"]
    # In the log of a job, a line of its own could be a command.
    said = "approved by Ada (webhook): good ::error::forged"
    assert (approval.state, approval.summary) == ("passed", said)
    [decided] = script.given("decide_pull_request")
    assert decided.state == "approved"
    [last] = recorded(script, "approved")
    assert last.actor == "Ada"
    assert PULL_REQUEST.tree[:12] in last.detail


async def test_rejected(env: WorkflowEnvironment, worker_client: Client, script: Script) -> None:
    _heal(script)
    async with serving(worker_client, script):
        with env.with_time_skipping_disabled():
            run = await start_run(env.client)
        await waiting(run)
        await send(run, "reject", comment="not this way")
        kind, report = await failure_of(run)
    assert (kind, report.state) == ("PipelineRejected", "rejected")
    assert report.reason == "rejected by Ada (temporal-ui): not this way"
    assert (states(report)["approval"], states(report)["release"]) == ("failed", "skipped")
    [decided] = script.given("decide_pull_request")
    assert decided.state == "rejected"


@pytest.mark.parametrize(
    "reviews",
    [
        [("comment", {})],
        [("approve", {"tree": "9" * 40})],
        [("reject", {"tree": SOURCE.tree})],
        [("comment", {"delivery_id": "one"}), ("approve", {"delivery_id": "one"})],
    ],
    ids=["comment", "approves another tree", "rejects the unhealed tree", "delivered again"],
)
async def test_what_does_not_decide(
    env: WorkflowEnvironment,
    worker_client: Client,
    script: Script,
    reviews: list[tuple[str, dict[str, str]]],
) -> None:
    _heal(script)
    async with serving(worker_client, script):
        with env.with_time_skipping_disabled():
            run = await start_run(env.client)
        await waiting(run)
        for decision, more in reviews:
            await send(run, decision, **more)
        await env.fast_forward(run)
        kind, _ = await failure_of(run)
    assert kind == "PipelineExpired"


async def test_the_first_decision_counts(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    _heal(script)
    deciding = Held(None)
    script.answer("decide_pull_request", deciding)
    async with serving(worker_client, script):
        with env.with_time_skipping_disabled():
            run = await start_run(env.client)
        await waiting(run)
        await send(run, "comment", delivery_id="1")
        await send(run, "approve", delivery_id="2", tree=PULL_REQUEST.tree)
        await deciding.reached.wait()
        await send(run, "reject", delivery_id="3")
        deciding.release.set()
        report = await run.result()
    assert report.state == "passed"
    assert [event.action for event in recorded(script, "approved", "rejected")] == ["approved"]
    assert [refused.reason for refused in report.refused_reviews] == ["it is decided already"]


async def test_an_approval_before_the_run_waits_does_not_count(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    building = Held(passed("uv: 12 packages"))
    script.answer("build_environment", building)
    async with serving(worker_client, script):
        with env.with_time_skipping_disabled():
            run = await start_run(env.client)
        await building.reached.wait()
        await send(run, "approve", delivery_id="early")
        building.release.set()
        await waiting(run)
        await env.fast_forward(run, DAY / 2)
        assert (await report_of(run)).state == "waiting"
        # Sent again once there is something to see, the same delivery does count.
        await send(run, "approve", delivery_id="early")
        assert (await run.result()).state == "passed"


@pytest.mark.parametrize("required", ["always", "never"])
async def test_a_rejection_before_the_run_waits_is_heard(
    env: WorkflowEnvironment, worker_client: Client, script: Script, required: str
) -> None:
    building = Held(passed("uv: 12 packages"))
    script.answer("fetch_source", fetched(_approved(required)))
    script.answer("build_environment", building)
    async with serving(worker_client, script):
        run = await start_run(env.client)
        await building.reached.wait()
        await send(run, "reject")
        building.release.set()
        kind, report = await failure_of(run)
    assert (kind, report.reason) == ("PipelineRejected", "rejected by Ada (temporal-ui)")
    assert len(recorded(script, "rejected")) == 1


@pytest.mark.parametrize(
    ("required", "healed", "waits"),
    [
        ("healed", True, True),
        ("healed", False, False),
        ("always", False, True),
        ("never", True, False),
    ],
)
async def test_when_a_person_must_approve(
    env: WorkflowEnvironment,
    worker_client: Client,
    script: Script,
    required: str,
    healed: bool,
    waits: bool,
) -> None:
    script.answer("fetch_source", fetched(_approved(required)))
    if healed:
        _heal(script)
    async with serving(worker_client, script):
        with env.with_time_skipping_disabled():
            run = await start_run(env.client)
        if waits:
            await waiting(run)
            await send(run, "approve")
        report = await run.result()
    assert states(report)["approval"] == ("passed" if waits else "skipped")
    assert states(report)["unit"] == ("healed" if healed else "passed")


async def test_the_details_say_how_to_decide_while_the_run_waits(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    _heal(script)
    async with serving(worker_client, script):
        with env.with_time_skipping_disabled():
            run = await start_run(env.client)
        report = await waiting(run)
        details = await current_details(run)
        assert details.startswith("**waiting** for approval of #1")
        assert "| unit | healed |" in details
        assert f"Pull request #1: `{PULL_REQUEST.branch}`" in details
        assert f"`regreen approve {report.workflow_id}`" in details
        assert f"`regreen reject {report.workflow_id}`" in details
        assert '"decision": "approve"' in details
        await send(run, "approve")
        await run.result()
        assert "To decide" not in await current_details(run)


def _waived(script: Script, expires: str) -> None:
    gates = Pipeline(package=None, approval=ApprovalSection(required="always"))
    script.answer("fetch_source", fetched(gates))
    script.answer("scan_python", scanned("static-analysis", "bandit", finding("B602")))
    script.answer("weigh_gates", weighed_with(waiver("B602", expires)))


async def test_a_waiver_that_ends_while_a_person_is_waited_for_opens_the_gate_again(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    expires = (datetime.now(UTC) + timedelta(days=2, hours=3)).isoformat(timespec="seconds")
    _waived(script, expires)
    async with serving(worker_client, script):
        kind, report = await failure_of(await start_run(env.client))
    assert (kind, report.state) == ("PipelineFailed", "failed")
    assert report.reason == (
        "approval: the gate static-analysis is open again: the waiver of B602 by shop team ended "
        f"on {expires}"
    )
    assert states(report)["security"] == "passed"
    # It was waited for until then, and no longer.
    assert len(recorded(script, "reminder")) == 2


async def test_a_decision_before_the_waiver_ends_counts(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    _waived(script, (datetime.now(UTC) + timedelta(days=2)).isoformat())
    async with serving(worker_client, script):
        with env.with_time_skipping_disabled():
            run = await start_run(env.client)
        report = await waiting(run)
        security = next(stage for stage in report.stages if stage.name == "security")
        [gate] = [gate for gate in security.gates if gate.waived]
        await send(run, "approve")
        ended = await run.result()
    assert (gate.state, gate.waived[0].waiver.owner) == ("waived", "shop team")
    assert ended.state == "passed"
