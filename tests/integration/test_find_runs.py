"""Which runs a pull request or a ref has, asked of a real server."""

import asyncio
import uuid
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.testing import ActivityEnvironment

from activities.find_runs import find_runs
from regreen.contracts.repository import FoundRuns, RunQuestion
from workflows import search_attributes

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def repository() -> str:
    return f"example/it's-{uuid.uuid4().hex[:8]}"


async def _start(
    client: Client, repository: str, ref: str, number: int | None, kind: str = "PipelineWorkflow"
) -> str:
    """A run that nobody serves, so that it stays as it is."""
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
        task_queue="nobody",
        execution_timeout=timedelta(minutes=5),
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
    await _start(worker_client, repository, "main", 7, "AnnouncementWorkflow")
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
