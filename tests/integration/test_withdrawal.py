"""Taking back a release whose parts are not what they were: the publisher's real activities."""

import json
import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.client import Client

from activities.release_folder import draft_release_folder, publish_release_folder
from regreen.contracts.publishing import PublishedParts, WithdrawRequest
from regreen.contracts.release import FolderRequest, TagRequest
from regreen.pipeline_file import TargetSection
from regreen.roles import task_queue
from tests.integration.release_places import COMMIT, REPOSITORY, VERSION, release_request
from tests.integration.wheel_project import need
from workers.worker import serving
from workflows.withdrawal import WithdrawalWorkflow


async def test_a_repository_that_is_gone_keeps_no_release_where_users_find_it(
    worker_client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need("cosign")
    monkeypatch.setenv("REGREEN_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("REGREEN_RELEASES", str(tmp_path / "releases"))
    released = await release_request(TargetSection(kind="http"))
    folder = FolderRequest(
        run=released.run, repository=REPOSITORY, version=VERSION, files=released.files
    )
    await draft_release_folder(folder)
    place = Path((await publish_release_folder(folder)).directory)
    tag = TagRequest(
        location=str(tmp_path / "gone"),
        name="v1.0.0",
        commit=COMMIT,
        message="v1.0.0",
        tagged_at="2026-11-23T10:00:00+00:00",
    )

    async with (
        serving(worker_client, "orchestrator"),
        serving(worker_client, "publisher"),
    ):
        withdrawal = await worker_client.execute_workflow(
            WithdrawalWorkflow.run,
            WithdrawRequest(
                parts=PublishedParts(tag=tag, folder=folder, targets=()),
                reason="loses orders",
                by="someone",
                at="2026-11-24T10:00:00+00:00",
            ),
            id=f"{uuid.uuid4()}/withdrawal",
            task_queue=task_queue("orchestrator"),
            execution_timeout=timedelta(minutes=2),
        )

    assert not place.exists()
    taken = {each.target: each for each in withdrawal.taken}
    assert taken["tag"].done.startswith("NOT deleted: ")
    assert (taken["tag"].left, taken["folder"].left) == (("v1.0.0",), ())
    record = json.loads((Path(withdrawal.directory) / "WITHDRAWAL.json").read_text("utf-8"))
    assert "NOT deleted" in json.dumps(record)
    assert (Path(withdrawal.directory) / "WITHDRAWAL.json.bundle").is_file()
