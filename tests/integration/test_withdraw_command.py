"""`regreen release withdraw` against a real server, with workflows that answer its queries.

What a withdrawal does is in test_withdrawal.py.
"""

import json
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import Worker

from regreen.contracts.publishing import PublishedParts, Withdrawal, WithdrawRequest
from regreen.contracts.release import FolderRequest, TagRequest
from regreen.contracts.run import PipelineRequest, RunReport
from regreen.errors import UnreachableError
from regreen.roles import task_queue
from regreen.settings import load_settings
from starters.withdraw import withdraw

pytestmark = pytest.mark.timeout(60)


@workflow.defn(name="PipelineWorkflow", sandboxed=False)
class ReleasedRun:
    @workflow.query
    def report(self) -> RunReport:
        info = workflow.info()
        asked = PipelineRequest(repository="a/b", location="/r", ref="main", commit="a" * 40)
        run = {"workflow_id": info.workflow_id, "run_id": info.run_id, "request": asked}
        return RunReport.model_validate({**run, "state": "released"})

    @workflow.run
    async def run(self) -> None:
        return


@workflow.defn(name="ReleaseWorkflow", sandboxed=False)
class Released:
    @workflow.query
    def published(self) -> PublishedParts:
        if workflow.memo_value("unreadable", False):
            raise RuntimeError("this history is another version's")
        tag = TagRequest(
            location="/r", name="v1", commit="a" * 40, message="v1", tagged_at="2026-01-01"
        )
        folder = FolderRequest(run="r", repository="a/b", version="1.0.0", files=())
        return PublishedParts(tag=tag, folder=folder, targets=())

    @workflow.run
    async def run(self) -> None:
        return


@workflow.defn(name="WithdrawalWorkflow", sandboxed=False)
class Withdrawn:
    @workflow.run
    async def run(self, request: WithdrawRequest) -> Withdrawal:
        return Withdrawal(version="1.0.0", tag="v1", taken=(), directory=request.reason)


@pytest.fixture
async def run(
    worker_client: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> AsyncIterator[str]:
    """The workflow id of a run that was released."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", worker_client.service_client.config.target_host)
    monkeypatch.setenv("REGREEN_STATE", str(tmp_path / "state"))
    queue = task_queue("orchestrator")
    workflows = [ReleasedRun, Released, Withdrawn]
    async with Worker(worker_client, task_queue=queue, workflows=workflows):
        name = f"pipeline/a/{uuid.uuid4().hex}/{'a' * 40}"
        await worker_client.execute_workflow("PipelineWorkflow", id=name, task_queue=queue)
        yield name


async def _release(client: Client, run: str, **memo: bool) -> None:
    queue = task_queue("orchestrator")
    await client.execute_workflow(
        "ReleaseWorkflow", id=f"{run}/release", task_queue=queue, memo=memo
    )


async def _withdraw(run: str, reason: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert await withdraw(run, reason, json=True, settings=load_settings()) == 0
    directory: str = json.loads(capsys.readouterr().out)["directory"]
    return directory


async def test_each_release_of_a_commit_is_withdrawn_once(
    worker_client: Client, run: str, capsys: pytest.CaptureFixture[str]
) -> None:
    await _release(worker_client, run)
    assert await _withdraw(run, "first", capsys) == "first"
    assert await _withdraw(run, "asked again", capsys) == "first"

    await _release(worker_client, run)

    assert await _withdraw(run, "of the second release", capsys) == "of the second release"


async def test_a_release_that_cannot_be_read_is_not_called_unpublished(
    worker_client: Client, run: str
) -> None:
    await _release(worker_client, run, unreadable=True)

    with pytest.raises(UnreachableError, match="no worker could tell what"):
        await withdraw(run, "reason", json=True, settings=load_settings())
