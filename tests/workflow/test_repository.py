"""A repository's workflow: each event is acted on once, and steers the run that it is about."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from temporalio import activity
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle
from temporalio.testing import WorkflowEnvironment

from activities.event_delivery import deliver_event, repository_workflow_id
from regreen.contracts.forge_event import ForgeEvent
from regreen.contracts.reconciliation import MissedQuestion, ReconcileRequest
from regreen.contracts.repository import (
    EventSelection,
    FoundRun,
    Handled,
    RepositoryState,
    RunQuestion,
    Selected,
)
from regreen.contracts.reviewer import ReviewerAnswer, ReviewerQuestion
from regreen.contracts.run import PipelineRequest
from regreen.roles import task_queue
from tests.workflow.repository_fakes import Forge, serving_repositories
from tests.workflow.scripted_activities import refusal
from workflows.reconcile import ReconcileWorkflow
from workflows.repository import RepositoryWorkflow

pytestmark = pytest.mark.timeout(60)

HEAD, BASE, MERGED = "a" * 40, "b" * 40, "c" * 40


@pytest.fixture
def forge() -> Forge:
    return Forge()


@pytest.fixture
def repository() -> str:
    return f"acme/{uuid.uuid4().hex[:10]}"


@pytest.fixture
async def served(worker_client: Client, forge: Forge) -> AsyncIterator[Client]:
    async with serving_repositories(worker_client, forge):
        yield worker_client


def _event(repository: str, kind: str, identity: str, **more: Any) -> ForgeEvent:
    known = {
        "provider": "github",
        "repository": repository,
        "identity": identity,
        "delivery_id": "d",
        "kind": kind,
        "actor": "ada",
        "location": f"https://github.com/{repository}.git",
    }
    return ForgeEvent.model_validate(known | more)


def _push(repository: str, commit: str = HEAD, ref: str = "main") -> ForgeEvent:
    identity = f"push/{commit}/refs/heads/{ref}"
    return _event(repository, "push", identity, commit=commit, ref=ref)


def _command(repository: str, command: str, number: int = 7) -> ForgeEvent:
    identity = f"comment/{uuid.uuid4()}"
    return _event(repository, "command", identity, pull_request=number, command=command)


async def _deliver(client: Client, *events: ForgeEvent) -> WorkflowHandle[Any, Any]:
    for event in events:
        await deliver_event(client, event, timeout=10)
    return client.get_workflow_handle(repository_workflow_id("github", events[0].repository))


async def _outcomes(client: Client, *events: ForgeEvent) -> list[str]:
    """What was done about the events, when something was."""
    handle = await _deliver(client, *events)
    wanted = {event.identity for event in events}
    while True:
        done: list[Handled] = await handle.query("recent", result_type=list[Handled])
        outcomes = {each.identity: each.outcome for each in done}
        if wanted <= set(outcomes):
            return [outcomes[event.identity] for event in events]
        await asyncio.sleep(0.02)


async def _run(client: Client, repository: str, commit: str = HEAD, kind: str = "pipeline") -> Any:
    """A run that is there already."""
    request = PipelineRequest(repository=repository, location="/r", ref="main", commit=commit)
    return await client.start_workflow(
        "PipelineWorkflow",
        request,
        id=f"{kind}/{repository}/{commit}",
        task_queue=task_queue("orchestrator"),
    )


def _found(run: Any, *, ended: bool = False) -> FoundRun:
    return FoundRun(
        workflow_id=run.id, ref="main", commit=run.id.rpartition("/")[2], state="waiting",
        ended=ended,
    )  # fmt: skip


async def _told(run: Any, count: int) -> list[str]:
    while len(told := await run.query("told", result_type=list[str])) < count:
        await asyncio.sleep(0.02)
    return told


async def test_a_push_starts_the_run_of_its_commit_as_the_command_line_does(
    served: Client, repository: str, forge: Forge
) -> None:
    (outcome,) = await _outcomes(served, _push(repository))

    identifier = f"pipeline/{repository}/{HEAD}"
    assert outcome == f"started {identifier}"
    run = served.get_workflow_handle(identifier)
    request = await run.query("request", result_type=PipelineRequest)
    assert request == PipelineRequest(
        repository=repository,
        location=f"https://github.com/{repository}.git",
        ref="main",
        commit=HEAD,
    )
    description = await run.describe()
    attributes = {
        pair.key.name: pair.value for pair in description.typed_search_attributes.search_attributes
    }
    assert attributes["RegreenRepository"] == repository
    assert attributes["RegreenRef"] == "main"
    assert attributes["RegreenCommit"] == HEAD
    assert attributes["RegreenState"] == "running"
    assert await description.static_summary() == f"{repository} main {HEAD[:12]}"


async def test_a_commit_that_has_its_run_gets_no_other(served: Client, repository: str) -> None:
    await _run(served, repository)

    (outcome,) = await _outcomes(served, _push(repository))

    assert outcome == f"has its run already: pipeline/{repository}/{HEAD}"


async def test_what_the_pipeline_file_does_not_select_starts_nothing(
    served: Client, repository: str, forge: Forge
) -> None:
    forge.selected = Selected(refused="this is a push to `try-it`")
    event = _event(
        repository, "pull_request", "pull_request/7/x", commit=HEAD, ref="try-it", base="main",
        pull_request=7,
    )  # fmt: skip

    (outcome,) = await _outcomes(served, event)

    assert outcome == "starts nothing: this is a push to `try-it`"
    (asked,) = forge.given(EventSelection)
    assert (asked.event, asked.ref, asked.base) == ("pull_request", "try-it", "main")


async def test_a_review_is_told_to_the_run_that_shows_the_pull_request_now(
    served: Client, repository: str, forge: Forge
) -> None:
    older, newer = await _run(served, repository, BASE), await _run(served, repository)
    forge.runs = (_found(older, ended=True), _found(newer))
    review = _event(
        repository, "review", "review/1", commit=HEAD, pull_request=7, decision="approve"
    )

    await _outcomes(served, review)

    assert await _told(newer, 1) == ["approve by ada review/1"]
    assert forge.given(RunQuestion)[-1].pull_request == 7


async def test_decisions_in_comments_are_reviews(
    served: Client, repository: str, forge: Forge
) -> None:
    run = await _run(served, repository)
    forge.runs = (_found(run),)

    command = _command(repository, "reject")
    assert await _outcomes(served, command) == [f"reject: {run.id}"]

    assert await _told(run, 1) == [f"reject by ada {command.identity}"]
    assert not forge.given(ReviewerQuestion)


@pytest.mark.parametrize("kind", ["review", "merge"])
async def test_what_is_about_no_run_is_dropped_and_told(
    served: Client, repository: str, kind: str
) -> None:
    event = _event(repository, kind, f"{kind}/9", commit=HEAD, pull_request=9)

    (outcome,) = await _outcomes(served, event)

    assert outcome in ("no run has #9", "#9 is no heal pull request")


async def test_a_merge_is_told_to_its_run_and_its_push_starts_no_other(
    served: Client, repository: str, forge: Forge
) -> None:
    run = await _run(served, repository)
    forge.runs = (_found(run),)
    merge = _event(repository, "merge", f"merge/7/{MERGED}", commit=MERGED, pull_request=7)

    await _outcomes(served, merge)
    forge.runs = ()
    outcome = await _outcomes(served, _push(repository, MERGED))

    assert await _told(run, 1) == ["merged cc by ada"]
    assert outcome == [f"{run.id} goes on with it"]
    assert not forge.given(EventSelection)


async def test_a_push_that_is_told_before_its_merge_starts_no_other_run_either(
    served: Client, repository: str, forge: Forge
) -> None:
    merging, other = await _run(served, repository), await _run(served, repository, BASE)
    forge.runs = (_found(merging), _found(other))
    push = _push(repository, MERGED)
    await _deliver(served, push)
    while not forge.given(RunQuestion):
        await asyncio.sleep(0.02)

    merge = _event(repository, "merge", f"merge/7/{MERGED}", commit=MERGED, pull_request=7)
    _, outcome = await _outcomes(served, merge, push)

    assert outcome == f"{merging.id} goes on with it; told to 1 with heals"
    assert await _told(merging, 1) == ["merged cc by ada"]
    assert await _told(other, 1) == ["base moved to cc"]
    assert not forge.given(EventSelection)


async def test_runs_with_heals_are_told_that_their_base_moved(
    env: WorkflowEnvironment, served: Client, repository: str, forge: Forge
) -> None:
    run = await _run(served, repository, BASE)
    forge.runs = (_found(run),)
    # With a clock that jumps over the wait for a merge.
    await env.client.start_workflow(
        RepositoryWorkflow.run,
        RepositoryState(provider="github", repository=repository),
        id=repository_workflow_id("github", repository),
        task_queue=task_queue("orchestrator"),
    )

    (outcome,) = await _outcomes(served, _push(repository))

    assert await _told(run, 1) == ["base moved to aa"]
    assert outcome == f"started pipeline/{repository}/{HEAD}; told to 1 with heals"


async def test_cancel_retry_and_heal_ask_whether_the_person_may(
    served: Client, repository: str, forge: Forge
) -> None:
    run = await _run(served, repository)
    forge.runs = (_found(run),)
    forge.may = ReviewerAnswer(refused="ada cannot write to it")
    commands = [_command(repository, command) for command in ("cancel", "retry", "heal")]

    outcomes = await _outcomes(served, *commands)

    assert [each.partition(":")[0] for each in outcomes] == [
        "cancel refused",
        "retry refused",
        "heal refused",
    ]
    assert (await run.describe()).status is WorkflowExecutionStatus.RUNNING
    assert forge.given(ReviewerQuestion)[0] == ReviewerQuestion(
        repository=repository,
        location=f"https://github.com/{repository}.git",
        commit=HEAD,
        reviewer="ada",
    )


async def test_cancel_then_retry_runs_the_commit_again(
    served: Client, repository: str, forge: Forge
) -> None:
    run = await _run(served, repository)
    forge.runs = (_found(run),)

    assert await _outcomes(served, _command(repository, "retry")) == [f"{run.id} has not ended"]
    assert await _outcomes(served, _command(repository, "cancel")) == [f"cancel: {run.id}"]
    while (await run.describe()).status is WorkflowExecutionStatus.RUNNING:
        await asyncio.sleep(0.02)
    assert await _outcomes(served, _command(repository, "retry")) == [f"started again: {run.id}"]

    latest = await served.get_workflow_handle(run.id).describe()
    assert latest.status is WorkflowExecutionStatus.RUNNING
    assert latest.run_id != run.result_run_id


async def test_a_persons_pull_request_is_healed_at_the_head_that_was_heard_of(
    served: Client, repository: str
) -> None:
    opened = _event(
        repository, "pull_request", "pull_request/7/x", commit=HEAD, ref="topic", base="main",
        pull_request=7,
    )  # fmt: skip
    assert await _outcomes(served, _command(repository, "heal")) == ["nothing is known of #7"]

    await _outcomes(served, opened)
    (outcome,) = await _outcomes(served, _command(repository, "heal"))

    assert outcome == f"started heal/{repository}/{HEAD}"
    run = served.get_workflow_handle(f"heal/{repository}/{HEAD}")
    request = await run.query("request", result_type=PipelineRequest)
    assert (request.heal_only, request.ref) == (True, "topic")


async def test_a_check_that_is_asked_for_again_runs_its_commit_again(
    served: Client, repository: str
) -> None:
    check = _event(repository, "check", "check/run/1/t", commit=HEAD, ref="main")

    assert await _outcomes(served, check) == [f"started again: pipeline/{repository}/{HEAD}"]


async def test_an_event_is_acted_on_once_also_when_the_workflow_continued_as_new(
    served: Client, repository: str, forge: Forge
) -> None:
    push = _push(repository)
    await _outcomes(served, push)
    # Signals of other senders, which the server does not know to be the same.
    handle = served.get_workflow_handle(repository_workflow_id("github", repository))
    first = (await handle.describe()).run_id
    for _ in range(3):
        await handle.signal("deliver", push)
    forge.selected = refusal("GitFailed", "no route to host")
    failing = _push(repository, BASE)
    (outcome,) = await _outcomes(served, failing)
    assert outcome == "failed: no route to host"
    while (await handle.describe()).run_id == first:
        await asyncio.sleep(0.02)

    forge.selected = Selected()
    await handle.signal("deliver", push)
    # What failed is new again: the redelivery is taken by the server and acted on.
    while True:
        await deliver_event(served, failing, timeout=10)
        done = await handle.query("recent", result_type=list[Handled])
        if done[-1].outcome == f"started pipeline/{repository}/{BASE}":
            break
        await asyncio.sleep(0.02)

    assert [each.identity for each in done] == [push.identity, failing.identity, failing.identity]
    assert [asked.commit for asked in forge.given(EventSelection)] == [HEAD, BASE, BASE]


async def test_after_many_events_it_continues_as_new_and_loses_none(
    env: WorkflowEnvironment, served: Client, repository: str, forge: Forge
) -> None:
    first = _push(repository)
    handle = await _deliver(served, first)
    run_id = (await handle.describe()).run_id
    comments = [
        _event(repository, "review", f"review/{number}", commit=HEAD, pull_request=number)
        for number in range(200)
    ]
    # Most are repeated, so that a thousand are there before half of the first are acted on.
    gate = asyncio.Semaphore(20)

    async def send(event: ForgeEvent) -> None:
        async with gate:
            await handle.signal("deliver", event)

    await asyncio.gather(*(send(event) for event in comments * 6))
    while len({asked.pull_request for asked in forge.given(RunQuestion)}) < 201:
        await asyncio.sleep(0.02)
    while (await handle.describe()).run_id == run_id:
        await asyncio.sleep(0.02)

    asked = [each.pull_request for each in forge.given(RunQuestion)]
    assert sorted(each for each in asked if each is not None) == list(range(200))


async def test_a_forge_that_does_not_answer_delays_nothing_else(
    served: Client, repository: str, forge: Forge
) -> None:
    never = asyncio.Event()

    async def hangs() -> Selected:
        while not never.is_set():
            activity.heartbeat()
            await asyncio.sleep(0.02)
        return Selected()

    forge.selected = hangs
    await _deliver(served, _push(repository))
    while not forge.given(EventSelection):
        await asyncio.sleep(0.02)
    run = await _run(served, repository, BASE)
    forge.runs = (_found(run),)
    review = _event(repository, "review", "review/1", pull_request=7, decision="approve")

    await _outcomes(served, review)

    assert await _told(run, 1) == ["approve by ada review/1"]
    never.set()
    await _outcomes(served, _push(repository))


async def test_the_reconciler_hands_over_what_no_webhook_told(
    served: Client, repository: str, forge: Forge
) -> None:
    told, missed = _push(repository), _push(repository, BASE)
    await _outcomes(served, told)
    forge.missed = (told, missed)
    request = ReconcileRequest(
        provider="github", repository=repository, location="https://github.com/a/b.git"
    )

    result = await served.execute_workflow(
        ReconcileWorkflow.run,
        request,
        id=f"reconcile/{uuid.uuid4()}",
        task_queue=task_queue("orchestrator"),
    )

    assert result.delivered == 2
    assert await _outcomes(served, missed) == [f"started pipeline/{repository}/{BASE}"]
    assert [asked.commit for asked in forge.given(EventSelection)] == [HEAD, BASE]
    (question,) = forge.given(MissedQuestion)
    assert question.since.endswith("+00:00")


async def test_the_details_show_events_as_text(served: Client, repository: str) -> None:
    event = _event(
        repository, "review", "review/1", commit=HEAD, pull_request=9, actor="<b>|@everyone"
    )
    await _outcomes(served, event)

    handle = served.get_workflow_handle(repository_workflow_id("github", repository))
    metadata = await handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
    details = str(metadata.current_details)

    assert "no run has" in details
    assert "<b>" not in details


async def test_it_starts_empty_for_a_repository_that_was_never_heard_of(
    served: Client, repository: str
) -> None:
    handle = await served.start_workflow(
        RepositoryWorkflow.run,
        RepositoryState(provider="gitlab", repository=repository),
        id=repository_workflow_id("gitlab", repository),
        task_queue=task_queue("orchestrator"),
    )

    assert await handle.query(RepositoryWorkflow.recent) == []
