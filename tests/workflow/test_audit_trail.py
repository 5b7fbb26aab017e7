"""The audit record of a run: what is told, in which order, how often, and that it is sealed."""

import asyncio
from datetime import timedelta

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from activities.model_prompt import ReadReply
from tests.workflow.running import (
    cancel,
    current_details,
    failure_of,
    recorded,
    report_of,
    send,
    start_run,
    waiting,
)
from tests.workflow.sample_answers import (
    ALL_GREEN,
    COMMIT,
    FULL,
    OPENAI,
    PULL_REQUEST,
    RED,
    SOURCE,
    UNIT_ONLY,
    fetched,
    finding,
    prompts,
    proposal,
    red,
    ref,
    reply,
    scanned,
    still_red,
    verified,
    waiver,
    weighed_with,
)
from tests.workflow.scripted_activities import Held, Script, refusal, serving

pytestmark = pytest.mark.timeout(60)

SECRET = "https://ada:hunter2@forge.example/shop.git"


@pytest.fixture
def script() -> Script:
    """A repository with every stage, all of them green."""
    made = Script(ALL_GREEN)
    made.answer("fetch_source", fetched(FULL))
    return made


async def test_a_green_run_tells_of_each_stage_and_costs_a_handful_of_activities(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    async with serving(worker_client, script):
        report = await (await start_run(env.client, location=SECRET)).result()
    told = recorded(script)
    assert [event.action for event in told] == [
        "run-started",
        "source-fetched",
        *["stage-ended"] * 10,
        "released",
        "stage-ended",
        "run-ended",
    ]
    stages = [event.fields["stage"] for event in told if event.action == "stage-ended"]
    assert sorted(map(str, stages)) == sorted(stage.name for stage in report.stages)
    assert told[1].fields["commit"] == COMMIT
    assert told[1].fields["tree"] == SOURCE.tree
    assert told[-1].fields["state"] == "released"
    assert {event.actor for event in told} == {"regreen"}
    times = [event.time for event in told]
    assert times == sorted(times)
    assert script.called.count("append_audit") <= 4
    assert script.called.count("seal_audit") == 1
    assert report.audit == ALL_GREEN["seal_audit"]
    assert "hunter2" not in repr(told)


async def test_each_append_follows_the_one_before_it(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    first, second = ref("first"), ref("second")
    script.answer("append_audit", first, second)
    script.answer("run_tests", red(RED))
    async with serving(worker_client, script):
        with env.with_time_skipping_disabled():
            run = await start_run(env.client)
        await waiting(run)
        await send(run, "approve")
        await run.result()
    before = [each.previous for each in script.given("append_audit")]
    assert before == [None, first, *[second] * (len(before) - 2)]
    [seal] = script.given("seal_audit")
    assert seal.previous == second
    [header] = {each.header for each in [*script.given("append_audit"), seal]}
    assert (header.workflow_id, header.commit) == (run.id, COMMIT)


async def test_every_attempt_is_told_with_its_prompt_and_its_price(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    script.answer("fetch_source", fetched(OPENAI))
    script.answer("run_tests", red(RED))
    asked = prompts()
    script.answer("write_model_prompt", asked)
    script.answer("ask_model", reply("a patch", tokens=1000, cost_usd=0.25))
    patches = [ReadReply(patch=ref(name)) for name in ("one.patch", "two.patch")]
    script.answer("read_model_reply", *patches)
    script.answer("verify_patch", still_red("one.patch"), verified("smaller.patch"))
    async with serving(worker_client, script):
        with env.with_time_skipping_disabled():
            run = await start_run(env.client)
        report = await waiting(run)
        await send(run, "approve")
        await run.result()
    told = recorded(script, "heal-attempted")
    [unit] = [stage for stage in report.stages if stage.name == "unit"]
    assert [event.fields["number"] for event in told] == [each.number for each in unit.attempts]
    assert [event.fields["verdict"] for event in told] == ["tests_red", "healed"]
    assert {event.actor for event in told} == {"openai"}
    last = told[-1].fields
    assert last["patch"] == ref("smaller.patch").sha256
    assert last["prompts"] == [asked.prompts[0].prompt.sha256]
    assert (last["model"], last["tokens"], last["cost_usd"]) == ("sample", 1000, 0.25)
    [opened] = recorded(script, "pull-request-opened")
    assert (opened.fields["head"], opened.fields["tree"]) == (PULL_REQUEST.head, PULL_REQUEST.tree)


async def test_a_red_stage_is_told_without_what_its_tests_said(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    script.answer("run_tests", red(RED))
    script.answer("verify_patch", still_red("one.patch"))
    async with serving(worker_client, script):
        _, report = await failure_of(await start_run(env.client))
    assert "assert 90" in report.reason
    unit = next(e for e in recorded(script, "stage-ended") if e.fields["stage"] == "unit")
    assert (unit.fields["state"], unit.fields["failing"]) == ("failed", [RED])
    [ended] = recorded(script, "run-ended")
    assert ended.detail == "failed: unit failed"
    assert "assert 90" not in repr(recorded(script))


async def test_a_waiver_is_told_with_its_owner_and_its_end(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    script.answer("scan_python", scanned("static-analysis", "bandit", finding("B602")))
    script.answer("weigh_gates", weighed_with(waiver("B602", "2999-01-01")))
    async with serving(worker_client, script):
        await (await start_run(env.client)).result()
    stages = {str(e.fields["stage"]): e.fields for e in recorded(script, "stage-ended")}
    gates = stages["security"]["gates"]
    assert isinstance(gates, list)
    [gate] = [gate for gate in gates if isinstance(gate, dict) and gate["waived"]]
    assert gate["gate"] == "static-analysis"
    assert gate["waived"] == [
        {
            "rule": "B602",
            "place": "shop.py:7",
            "owner": "shop team",
            "expires": "2999-01-01",
            "document": ".vex/shop.json",
        }
    ]


async def test_reviews_are_told_also_those_that_do_not_count(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    building = Held(ALL_GREEN["build_environment"])
    script.answer("build_environment", building)
    script.answer("run_tests", red(RED))
    async with serving(worker_client, script):
        with env.with_time_skipping_disabled():
            run = await start_run(env.client)
        await building.reached.wait()
        await send(run, "approve", delivery_id="early", source="webhook")
        building.release.set()
        await waiting(run)
        await send(run, "comment", delivery_id="1", comment="why\nso?")
        await send(run, "comment", delivery_id="1")
        await send(run, "approve", delivery_id="2", source="webhook")
        await run.result()
    told = recorded(script, "review-received", "review-refused")
    assert [(each.action, each.fields["delivery_id"], each.detail) for each in told] == [
        ("review-refused", "early", "there is nothing to see yet; approve when the run waits"),
        ("review-received", "1", "why so?"),
        ("review-received", "2", ""),
    ]
    assert {each.actor for each in told} == {"Ada"}
    assert told[0].fields["source"] == "webhook"


async def test_what_a_review_says_has_limits_and_a_flood_of_them_does_not_stop_the_run(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    writing = Held(ref("audit.jsonl"))
    script.answer("append_audit", writing, refusal("DiskFull", "no space left"))
    script.answer("run_tests", red(RED))
    long = "x" * 10_000
    async with serving(worker_client, script):
        with env.with_time_skipping_disabled():
            run = await start_run(env.client)
        await waiting(run)
        await writing.reached.wait()
        for number in range(220):
            await send(run, "comment", delivery_id=f"{number} {long}", comment=long)
        writing.release.set()
        await send(run, "reject", reviewer=long)
        _, report = await failure_of(run)
    assert report.state == "rejected"
    [seal] = script.given("seal_audit")
    assert len(seal.events) <= 201
    gap, ended = seal.events[-2:]
    assert (gap.action, ended.action) == ("events-left-out", "run-ended")
    texts = [text for each in seal.events for text in (each.actor, *each.fields.values())]
    assert max(len(text) for text in texts if isinstance(text, str)) == 300


@pytest.mark.parametrize("decision", ["reject", None], ids=["rejected", "expired"])
async def test_a_run_that_is_not_approved_is_sealed(
    env: WorkflowEnvironment, worker_client: Client, script: Script, decision: str | None
) -> None:
    script.answer("run_tests", red(RED))
    async with serving(worker_client, script):
        with env.with_time_skipping_disabled():
            run = await start_run(env.client)
        await waiting(run)
        if decision is None:
            await env.fast_forward(run, timedelta(days=30))
        else:
            await send(run, decision)
        _, report = await failure_of(run)
    assert report.audit == ALL_GREEN["seal_audit"]
    [ended] = recorded(script, "run-ended")
    assert ended.fields["state"] == report.state == ("expired" if decision is None else "rejected")


async def test_a_run_without_a_source_is_sealed(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    script.answer("fetch_source", refusal("SourceMissing", "no such commit"))
    async with serving(worker_client, script):
        _, report = await failure_of(await start_run(env.client))
    assert report.audit.sealed
    assert recorded(script)[-1].detail == "failed: no such commit"


async def test_a_cancelled_run_is_sealed_with_the_attempts_that_were_made(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    second = Held(verified("two.patch"))
    script.answer("run_tests", red(RED))
    script.answer("verify_patch", still_red("one.patch"), second)
    script.answer("propose_search_patch", proposal("one.patch"), proposal("two.patch"))
    async with serving(worker_client, script):
        run = await start_run(env.client)
        await second.reached.wait()
        await cancel(run)
        report = await report_of(run)
        details = await current_details(run)
    assert report.audit == ALL_GREEN["seal_audit"]
    assert report.state == "cancelled"
    [attempt] = recorded(script, "heal-attempted")
    assert (attempt.fields["stage"], attempt.fields["number"]) == ("unit", 1)
    assert recorded(script)[-1].fields["state"] == "cancelled"
    assert f"sha256:{ref('audit.jsonl').sha256}" in details


async def test_a_cancellation_does_not_keep_the_record_from_being_sealed(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    sealing = Held(ALL_GREEN["seal_audit"])
    script.answer("fetch_source", fetched(UNIT_ONLY))
    script.answer("seal_audit", sealing)
    async with serving(worker_client, script):
        run = await start_run(env.client)
        await sealing.reached.wait()
        await run.cancel()
        await asyncio.sleep(0)
        sealing.release.set()
        report = await run.result()
    assert (report.state, report.audit) == ("passed", ALL_GREEN["seal_audit"])


async def test_a_run_whose_record_cannot_be_sealed_ends_and_says_so(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    script.answer("fetch_source", fetched(UNIT_ONLY))
    script.answer("seal_audit", refusal("DiskFull", "no space left"))
    async with serving(worker_client, script):
        run = await start_run(env.client)
        report = await run.result()
        details = await current_details(run)
        history = await run.fetch_history()
    assert report.state == "passed"
    assert not report.audit.sealed
    assert report.audit.record == ref("audit.jsonl")
    assert report.audit.problem == "the audit record is not sealed: no space left"
    assert report.audit.problem in details
    scheduled = [
        event.activity_task_scheduled_event_attributes
        for event in history.events
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
    ]
    [seal] = [each for each in scheduled if each.activity_type.name == "seal_audit"]
    assert seal.schedule_to_close_timeout.ToTimedelta() <= timedelta(minutes=1)


async def test_events_that_could_not_be_written_go_with_those_after_them(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    script.answer("append_audit", refusal("DiskFull", "no space left"))
    async with serving(worker_client, script):
        report = await (await start_run(env.client)).result()
    assert report.state == "released"
    [seal] = script.given("seal_audit")
    assert seal.previous is None
    actions = [event.action for event in seal.events]
    assert (actions[0], actions[-1]) == ("run-started", "run-ended")
    assert actions.count("stage-ended") == 11


async def test_nobody_waits_for_the_record_and_the_report_says_how_far_it_is(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    writing = Held(ref("audit.jsonl"))
    planning = Held(ALL_GREEN["plan_release"])
    script.answer("append_audit", writing)
    script.answer("plan_release", planning)
    async with serving(worker_client, script):
        run = await start_run(env.client)
        # Eight stages have gone by.
        await planning.reached.wait()
        before = (await report_of(run)).audit
        writing.release.set()
        planning.release.set()
        report = await run.result()
    assert before.record is None
    assert report.audit.sealed


async def test_a_run_that_is_ended_from_outside_leaves_what_was_written(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    script.answer("run_tests", red(RED))
    async with serving(worker_client, script):
        with env.with_time_skipping_disabled():
            run = await start_run(env.client)
        await waiting(run)
        while not recorded(script, "pull-request-opened"):
            await asyncio.sleep(0.02)
        while (await report_of(run)).audit.record is None:
            await asyncio.sleep(0.02)
        await run.terminate("by hand")
        report = await report_of(run)
    assert report.audit.record == ref("audit.jsonl")
    assert not report.audit.sealed
