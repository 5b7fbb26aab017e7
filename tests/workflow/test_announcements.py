"""What the outside is told of a run: in order, once, and without anybody waiting for it."""

import asyncio
import json
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment

from regreen.contracts.announcement import (
    Alert,
    Alerts,
    Announcement,
    AnnouncementPlaces,
    AnnouncementRequest,
    PlacedAnnouncement,
    Told,
)
from regreen.contracts.run import SourceFetched
from regreen.pipeline_file import ApprovalSection, Pipeline
from regreen.roles import task_queue
from starters import runs
from tests.workflow.running import Run, current_details, failure_of, send, start_run, waiting
from tests.workflow.sample_answers import (
    ALL_GREEN,
    FULL,
    PULL_REQUEST,
    RED,
    UNIT_ONLY,
    fetched,
    finding,
    passed,
    red,
    refused,
    scanned,
    still_red,
)
from tests.workflow.scripted_activities import Held, Script, refusal, serving
from workflows.announcements import AnnouncementWorkflow
from workflows.pipeline import PipelineWorkflow

pytestmark = pytest.mark.timeout(30)

Telling = WorkflowHandle[AnnouncementWorkflow, str]
PLACES = ("slack", "discord")


def _announcing(pipeline: Pipeline, **more: Any) -> SourceFetched:
    return fetched(pipeline).model_copy(update={"announces": True, **more})


@pytest.fixture
def script() -> Script:
    """A run with a unit stage only, in a place where Slack and Discord are told."""
    made = Script(ALL_GREEN)
    made.answer("fetch_source", _announcing(UNIT_ONLY))
    return made


@pytest.fixture(autouse=True)
def no_skipping(env: WorkflowEnvironment) -> Iterator[None]:
    """Who waits for announcements has a clock that does not jump."""
    with env.with_time_skipping_disabled():
        yield


def _places(**changes: Any) -> AnnouncementPlaces:
    known: AnnouncementPlaces = ALL_GREEN["find_announcement_places"]
    return known.model_copy(update=changes)


def _told(script: Script, place: str) -> list[Announcement]:
    given: list[PlacedAnnouncement] = script.given("send_announcement")
    return [each.announcement for each in given if each.place == place]


def _kinds(script: Script, place: str) -> list[str]:
    return [each.kind for each in _told(script, place)]


def _telling(client: Client, run: Run) -> Telling:
    return client.get_workflow_handle_for(AnnouncementWorkflow.run, f"{run.id}/announcements")


async def _until(true: Callable[[], bool]) -> None:
    while not true():
        await asyncio.sleep(0.02)


async def _status(workflow: Telling | Run) -> WorkflowExecutionStatus | None:
    return (await workflow.describe()).status


async def test_a_healed_and_released_run_is_told_in_order_at_every_place(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    script.answer("fetch_source", _announcing(FULL))
    script.answer("run_tests", lambda asked: red(RED) if asked.stage == "unit" else _green())
    script.answer("guard_patch", refused("sleep"), ALL_GREEN["guard_patch"])
    async with serving(worker_client, script):
        run = await start_run(env.client)
        await waiting(run)
        await send(run, "approve")
        report = await run.result()
        assert await _telling(env.client, run).result() == "slack: 4 told; discord: 4 told"
    for place in PLACES:
        assert _kinds(script, place) == ["started", "healed", "waiting", "released"]
    started, healed, waits, released = _told(script, "slack")
    for told in (started, healed, waits, released):
        assert (told.repository, told.ref) == (report.request.repository, "main")
        assert (told.commit, told.run, told.run_id) == (
            report.request.commit,
            run.id,
            report.run_id,
        )
    assert (started.colour, started.stages) == ("amber", ())
    assert (healed.stage, healed.attempts, healed.colour) == ("unit", 2, "green")
    assert healed.pull_request is not None
    assert healed.pull_request.number == PULL_REQUEST.number
    assert waits.reason == f"approval of #{PULL_REQUEST.number} to release v1.1.0"
    assert waits.commands == (f"regreen approve {run.id}", f"regreen reject {run.id}")
    assert (released.colour, released.version, released.attempts) == ("green", "1.1.0", 2)
    shown = [(each.name, each.state, each.seconds, each.attempts) for each in released.stages]
    assert shown == [
        (each.name, each.state, each.seconds, len(each.attempts)) for each in report.stages
    ]


def _green() -> Any:
    return ALL_GREEN["run_tests"]


async def test_a_dead_place_delays_and_fails_nothing_and_hears_it_all_when_it_is_back(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    dead = True

    def answer(asked: PlacedAnnouncement) -> Told:
        if dead and asked.place == "slack":
            raise ApplicationError("slack answered 500", type="PlaceUnavailable")
        return Told()

    script.answer("send_announcement", answer)
    async with serving(worker_client, script):
        run = await start_run(env.client)
        assert (await run.result()).state == "passed"
        await _until(lambda: _kinds(script, "discord") == ["started", "passed"])
        telling = _telling(env.client, run)
        assert await _status(telling) is WorkflowExecutionStatus.RUNNING
        assert set(_kinds(script, "slack")) <= {"started"}
        dead = False
        await telling.result()
    assert [*dict.fromkeys(_kinds(script, "slack"))] == ["started", "passed"]
    assert _kinds(script, "discord") == ["started", "passed"]


async def test_what_a_place_refuses_is_given_up_with_a_line_and_the_rest_is_told(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    refuses = refusal("PlaceRefused", "slack answered 404")
    script.answer(
        "send_announcement",
        lambda asked: refuses if asked.announcement.kind == "started" else Told(),
    )
    async with serving(worker_client, script):
        run = await start_run(env.client)
        await run.result()
        telling = _telling(env.client, run)
        said = await telling.result()
        details = await current_details(telling)  # type: ignore[arg-type]
    assert "slack was not told `started`: slack answered 404" in said
    assert "- slack was not told `started`: slack answered 404" in details
    assert _kinds(script, "slack") == ["started", "passed"]


async def test_a_place_is_tried_for_a_day_from_the_announcement_on(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    testing = Held(_green())
    script.answer("run_tests", testing)
    script.answer("find_announcement_places", _places(names=("slack",)))
    away = Held(Told())
    script.answer("send_announcement", away)
    async with serving(worker_client, script):
        run = await start_run(env.client)
        await away.reached.wait()
        testing.release.set()
        await run.result()
        away.release.set()
        telling = _telling(env.client, run)
        await telling.result()
        history = await telling.fetch_history()
    sent = [
        event.activity_task_scheduled_event_attributes
        for event in history.events
        if event.activity_task_scheduled_event_attributes.activity_type.name == "send_announcement"
    ]
    left = [each.schedule_to_close_timeout.ToTimedelta() for each in sent]
    assert len(left) == 2
    # What has waited for its turn is not tried for longer than that.
    assert all(timedelta(hours=23) < each < timedelta(days=1) for each in left)
    assert {each.retry_policy.maximum_attempts for each in sent} == {0}


async def test_what_is_announced_twice_is_told_once(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    started, healed, last = (
        _announcement("started"),
        _announcement("healed"),
        _announcement("failed"),
    )
    async with serving(worker_client, script):
        telling = await env.client.start_workflow(
            AnnouncementWorkflow.run,
            AnnouncementRequest(announces=True, location="/repositories/shop", first=started),
            id=f"announcements/{uuid.uuid4()}",
            task_queue=task_queue("orchestrator"),
        )
        for announcement in (healed, started, healed, healed, last, last):
            await telling.signal(AnnouncementWorkflow.announce, announcement)
        await telling.result()
    assert _told(script, "slack") == [started, healed, last]


def _announcement(kind: Any) -> Announcement:
    return Announcement(
        key=f"run-1/{kind}",
        kind=kind,
        colour="amber",
        repository="example/shop",
        ref="main",
        commit="c" * 40,
        run="pipeline/example/shop/c",
        run_id="run-1",
    )


async def test_a_failed_run_names_stage_and_tests_and_quotes_nothing(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    script.answer("run_tests", red(RED))
    script.answer("verify_patch", still_red("x"))
    async with serving(worker_client, script):
        run = await start_run(env.client)
        _, report = await failure_of(run)
        await _telling(env.client, run).result()
    assert "assert 90" in report.reason
    failed = _told(script, "slack")[-1]
    assert (failed.kind, failed.colour, failed.stage) == ("failed", "red", "unit")
    assert (failed.tests, failed.more_tests) == ((RED,), 0)
    assert failed.reason == "1 test failing each time, not healed in 8 attempts"
    assert failed.attempts == 8
    for told in _told(script, "slack"):
        assert "assert" not in told.model_dump_json()


async def test_a_failed_gate_is_named_with_its_first_finding(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    script.answer("fetch_source", _announcing(FULL))
    found = finding("B602", message="call with shell=True")
    script.answer("scan_python", scanned("static-analysis", "bandit", found))
    async with serving(worker_client, script):
        run = await start_run(env.client)
        await failure_of(run)
        await _telling(env.client, run).result()
    failed = _told(script, "slack")[-1]
    assert failed.stage == "security"
    assert failed.reason == "gate static-analysis: 1 finding, first B602 at shop.py:7"


async def test_a_stage_without_tests_or_gates_says_no_more_than_its_own_words(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    quoting = passed("compile: SyntaxError in `password = 'hunter2'`")
    script.answer("build_environment", quoting.model_copy(update={"state": "failed"}))
    async with serving(worker_client, script):
        run = await start_run(env.client)
        await failure_of(run)
        await _telling(env.client, run).result()
    failed = _told(script, "slack")[-1]
    assert (failed.stage, failed.reason) == ("build", "compile")
    assert "hunter2" not in failed.model_dump_json()


async def test_a_run_that_fails_outside_of_its_stages_says_so(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    script.answer("report_isolation", refusal("NotIsolated", "no sandbox here: bwrap said so"))
    async with serving(worker_client, script):
        run = await start_run(env.client)
        await failure_of(run)
        await _telling(env.client, run).result()
    failed = _told(script, "slack")[-1]
    assert (failed.kind, failed.stage, failed.reason) == ("failed", "", "no sandbox here")


@pytest.mark.parametrize("end", ["rejected", "expired", "cancelled"])
async def test_a_run_that_people_end_is_told(
    env: WorkflowEnvironment, worker_client: Client, script: Script, end: str
) -> None:
    # The clock of a run whose child goes on cannot be moved by hand.
    approval = {"required": "always", "expires": "1s" if end == "expired" else "7d"}
    section = ApprovalSection.model_validate(approval)
    script.answer("fetch_source", _announcing(UNIT_ONLY.model_copy(update={"approval": section})))
    async with serving(worker_client, script):
        run = await start_run(env.client)
        await waiting(run)
        if end == "rejected":
            await send(run, "reject", comment="not like this")
        elif end == "cancelled":
            await run.cancel()
        await _telling(env.client, run).result()
    last = _told(script, "discord")[-1]
    assert (last.kind, last.colour) == (end, "red")
    reasons = {
        "rejected": "rejected by Ada (temporal-ui): not like this",
        "expired": "no decision within 0:00:01",
        "cancelled": "on request",
    }
    assert last.reason == reasons[end]


async def test_a_forge_is_told_of_every_stage_and_a_chat_of_none(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    script.answer("fetch_source", _announcing(UNIT_ONLY, forge="github"))
    script.answer("run_tests", red(RED))
    script.answer("verify_patch", still_red("x"))
    async with serving(worker_client, script):
        run = await start_run(env.client)
        await failure_of(run)
        await _telling(env.client, run).result()
    announced = await _announced(_telling(env.client, run))
    stages = [(each["stage"], each["state"]) for each in announced if each["kind"] == "stage"]
    assert stages[:4] == [
        ("build", "running"),
        ("build", "passed"),
        ("unit", "running"),
        ("unit", "failed"),
    ]
    assert {state for _, state in stages[4:]} == {"skipped"}
    unit = next(each for each in announced if (each["stage"], each["state"]) == stages[3])
    [remark] = unit["remarks"]
    assert remark == {
        "path": "tests/test_prices.py",
        "line": 0,
        "level": "failure",
        "title": "test",
        "message": f"{RED} fails each time",
    }
    assert "1 of 41 failing" in unit["summary"]
    assert _kinds(script, "slack") == ["started", "failed"]


async def _announced(telling: Telling) -> list[dict[str, Any]]:
    """What the run has sent, from the history."""
    found = []
    async for event in telling.fetch_history_events():
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
            payloads = event.workflow_execution_signaled_event_attributes.input.payloads
            found += [json.loads(payload.data) for payload in payloads]
    return found


async def test_a_run_with_nobody_to_tell_tells_nobody(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    script.answer("fetch_source", fetched(UNIT_ONLY))
    async with serving(worker_client, script):
        run = await start_run(env.client)
        await run.result()
        with pytest.raises(RPCError) as caught:
            await _telling(env.client, run).describe()
    assert caught.value.status is RPCStatusCode.NOT_FOUND
    assert "find_announcement_places" not in script.called


async def test_a_run_again_is_told_while_the_first_one_still_is(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    held = Held(Told())
    script.answer("send_announcement", held)
    async with serving(worker_client, script):
        run = await start_run(env.client)
        first = await run.result()
        await held.reached.wait()
        assert await runs.start(env.client, first.request, again=True)
        second = await env.client.get_workflow_handle_for(PipelineWorkflow.run, run.id).result()
        held.release.set()
        other = f"{run.id}/announcements/{second.run_id}"
        await env.client.get_workflow_handle(other).result()
        await _telling(env.client, run).result()
    keys = {each.key for each in _told(script, "slack")}
    assert keys == {
        f"{each.run_id}/{kind}" for each in (first, second) for kind in ("started", "passed")
    }


async def test_a_run_that_was_ended_from_outside_is_not_waited_for_forever(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    testing = Held(_green())
    script.answer("run_tests", testing)
    script.answer("is_run_open", True, False)
    async with serving(worker_client, script):
        run = await start_run(env.client)
        await testing.reached.wait()
        telling = _telling(env.client, run)
        await _until(lambda: len(script.given("send_announcement")) == 2)
        await run.terminate()
        testing.release.set()
        await env.fast_forward(telling, timedelta(days=2, hours=1))
        assert await telling.result() == "slack: 1 told; discord: 1 told"
    [question, _] = script.given("is_run_open")
    assert question.run == run.id


async def test_an_alert_follows_the_end_of_the_run(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    script.answer("find_announcement_places", _places(alerts=True))
    text = "success rate 60 % over the last 20 runs, below 80 %"
    back = "2.0 heal attempts a run over the last 20 runs, not above 3"
    found = (
        Alert(metric="success-rate", crossed=True, text=text),
        Alert(metric="heal-attempts", crossed=False, text=back),
    )
    script.answer("judge_run_alerts", Alerts(alerts=found))
    async with serving(worker_client, script):
        run = await start_run(env.client)
        report = await run.result()
        await _telling(env.client, run).result()
    assert _kinds(script, "slack") == ["started", "passed", "alert", "resolved"]
    *_, alert, resolved = _told(script, "slack")
    assert (alert.reason, alert.colour) == (text, "red")
    assert (resolved.reason, resolved.colour) == (back, "green")
    [ended] = script.given("judge_run_alerts")
    assert (ended.state, ended.run_id, ended.heal_attempts) == ("passed", report.run_id, 0)


async def test_kinds_that_the_operator_left_out_are_not_told(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    script.answer("find_announcement_places", _places(kinds=("passed",)))
    async with serving(worker_client, script):
        run = await start_run(env.client)
        await run.result()
        await _telling(env.client, run).result()
    assert _kinds(script, "slack") == ["passed"]
