"""Which runs a pull request or a ref has, asked of a real server."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from temporalio import workflow
from temporalio.client import Client, WorkflowQueryFailedError
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.testing import ActivityEnvironment
from temporalio.worker import Worker

from activities.find_runs import find_runs
from regreen.contracts.repository import FoundRuns, RunQuestion
from regreen.contracts.run import PipelineRequest, PullRequest, RunReport
from workflows import search_attributes

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def repository() -> str:
    return f"example/it's-{uuid.uuid4().hex[:8]}"


@workflow.defn(name="PipelineWorkflow", sandboxed=False)
class WaitingRun:
    """A run that has opened its pull request and waits for ever."""

    @workflow.query
    def report(self) -> RunReport:
        url = workflow.memo_value("url", type_hint=str)
        if not url:
            raise RuntimeError("this history is another version's")
        return RunReport(
            workflow_id=workflow.info().workflow_id,
            run_id=workflow.info().run_id,
            state="waiting",
            request=PipelineRequest(repository="a/b", location="/r", ref="main", commit="a" * 40),
            pull_request=PullRequest(branch="b", url=url, number=7, head="h", tree="t"),
        )

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: False)


@pytest.fixture(autouse=True)
async def served(worker_client: Client) -> AsyncIterator[None]:
    async with Worker(worker_client, task_queue="waiting-runs", workflows=[WaitingRun]):
        yield


async def _start(
    client: Client,
    repository: str,
    ref: str,
    number: int | None,
    *,
    kind: str = "PipelineWorkflow",
    url: str = "https://github.com/a/b/pull/7",
) -> str:
    known: dict[Any, Any] = {
        search_attributes.REPOSITORY: repository,
        search_attributes.REF: ref,
        search_attributes.COMMIT: "a" * 40,
        search_attributes.STATE: "waiting",
    }
    if number is not None:
        known[search_attributes.PULL_REQUEST] = f"#{number}"
    handle = await client.start_workflow(
        kind,
        id=f"pipeline/{repository}/{uuid.uuid4().hex}",
        task_queue="waiting-runs",
        execution_timeout=timedelta(minutes=5),
        memo={"url": url},
        search_attributes=TypedSearchAttributes(
            [SearchAttributePair(key, value) for key, value in known.items()]
        ),
    )
    return handle.id


async def _found(client: Client, **question: Any) -> FoundRuns:
    environment = ActivityEnvironment(client=client)
    answer: FoundRuns = await environment.run(find_runs, RunQuestion(**question))
    return answer


def _ids(found: FoundRuns) -> set[str]:
    return {run.workflow_id for run in found.runs}


async def test_a_pull_request_has_the_runs_that_show_their_heals_there(
    worker_client: Client, repository: str
) -> None:
    first = await _start(worker_client, repository, "main", 7)
    second = await _start(worker_client, repository, "develop", 7)
    await _start(worker_client, repository, "main", 77)
    await _start(worker_client, f"{repository}x", "main", 7)
    await _start(worker_client, repository, "main", 7, kind="AnnouncementWorkflow")
    await _start(worker_client, repository, "main", 7, url="file:///pull-requests/7.md")
    await worker_client.get_workflow_handle(first).terminate()

    found = FoundRuns()
    # The store follows what happens a little later.
    while not any(run.ended for run in found.runs):
        found = await _found(worker_client, repository=repository, pull_request=7)

    assert _ids(found) == {first, second}
    assert {run.workflow_id: run.ended for run in found.runs} == {first: True, second: False}
    assert {(run.ref, run.commit, run.state) for run in found.runs} == {
        ("main", "a" * 40, "waiting"),
        ("develop", "a" * 40, "waiting"),
    }


async def test_a_ref_has_the_runs_that_have_not_ended_and_show_heals(
    worker_client: Client, repository: str
) -> None:
    waiting = await _start(worker_client, repository, "it's", 1)
    ended = await _start(worker_client, repository, "it's", 2)
    await _start(worker_client, repository, "it's", None)
    await _start(worker_client, repository, "main", 3)
    await worker_client.get_workflow_handle(ended).terminate()

    while _ids(await _found(worker_client, repository=repository, ref="it's")) != {waiting}:
        await asyncio.sleep(0.02)
    assert _ids(await _found(worker_client, repository=repository, ref='so "new"')) == set()


async def test_an_ended_run_that_cannot_be_read_hides_no_other(
    worker_client: Client, repository: str
) -> None:
    unreadable = await _start(worker_client, repository, "main", 7, url="")
    with pytest.raises(WorkflowQueryFailedError):
        while not (await _found(worker_client, repository=repository, pull_request=7)).runs:
            await asyncio.sleep(0.02)
    await worker_client.get_workflow_handle(unreadable).terminate()
    newer = await _start(worker_client, repository, "main", 7)

    found = FoundRuns()
    async with asyncio.timeout(30):
        while _ids(found) != {newer}:
            # Until the store knows that the old one has ended.
            with contextlib.suppress(WorkflowQueryFailedError):
                found = await _found(worker_client, repository=repository, pull_request=7)
