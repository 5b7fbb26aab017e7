"""Taking back a release whose parts are not what they were: the publisher's real activities."""

import json
import uuid
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.client import Client

from activities.publishing import publish_on_target
from activities.release_folder import draft_release_folder, publish_release_folder
from regreen.contracts.publishing import (
    PublishedParts,
    TargetRequest,
    Withdrawal,
    WithdrawRequest,
)
from regreen.contracts.release import FolderRequest, TagRequest
from regreen.pipeline_file import TargetSection
from regreen.roles import task_queue
from tests.doubles.github.server import github_double
from tests.doubles.http_folder import http_folder
from tests.integration.release_places import COMMIT, REPOSITORY, VERSION, release_request
from tests.integration.wheel_project import need
from workers.worker import serving
from workflows.withdrawal import WithdrawalWorkflow


@dataclass(frozen=True)
class Released:
    """A release that is out, on no repository that is still there."""

    folder: FolderRequest
    place: Path
    tag: TagRequest


@pytest.fixture
async def released(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Released:
    need("cosign")
    monkeypatch.setenv("REGREEN_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("REGREEN_RELEASES", str(tmp_path / "releases"))
    files = (await release_request(TargetSection(kind="http"))).files
    folder = FolderRequest(run="run", repository=REPOSITORY, version=VERSION, files=files)
    await draft_release_folder(folder)
    place = Path((await publish_release_folder(folder)).directory)
    tag = TagRequest(
        location=str(tmp_path / "gone"),
        name="v1.0.0",
        commit=COMMIT,
        message="v1.0.0",
        tagged_at="2026-11-23T10:00:00+00:00",
    )
    return Released(folder, place, tag)


async def _withdrawn(client: Client, released: Released, *targets: TargetRequest) -> Withdrawal:
    parts = PublishedParts(tag=released.tag, folder=released.folder, targets=targets)
    async with serving(client, "orchestrator"), serving(client, "publisher"):
        return await client.execute_workflow(
            WithdrawalWorkflow.run,
            WithdrawRequest(
                parts=parts,
                reason="loses orders",
                by="someone",
                at="2026-11-24T10:00:00+00:00",
            ),
            id=f"{uuid.uuid4()}/withdrawal",
            task_queue=task_queue("orchestrator"),
            execution_timeout=timedelta(minutes=2),
        )


async def test_a_target_that_refuses_for_good_keeps_the_release_nowhere_else(
    worker_client: Client, released: Released, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        http_folder() as first,
        github_double(REPOSITORY) as github,
        http_folder() as last,
        http_folder() as forbidden,
    ):
        addresses = [github.address, first.address, last.address, forbidden.address]
        monkeypatch.setenv("GITHUB_API_URL", github.address)
        monkeypatch.setenv("GITHUB_TOKEN", "of-the-test")
        monkeypatch.setenv("REGREEN_HTTP_AUTHORIZATION", first.authorization)
        monkeypatch.setenv("REGREEN_PUBLISH_TO", " ".join(addresses))
        sections = [
            TargetSection(kind="http", name="first", url=first.address),
            TargetSection(kind="github"),
            TargetSection(kind="http", name="last", url=last.address),
            TargetSection(kind="http", name="forbidden", url=forbidden.address),
        ]
        targets = [await release_request(section) for section in sections]
        for target in targets:
            await publish_on_target(target)
        github.refuses["repos/update-release"] = 403
        last.refuses[""] = 405
        # The operator has changed their mind about one of them since.
        monkeypatch.setenv("REGREEN_PUBLISH_TO", " ".join(addresses[:-1]))

        withdrawal = await _withdrawn(worker_client, released, *targets)

        assert (first.files, len(last.files)) == ({}, 3)
    assert not released.place.exists()
    taken = {each.target: each for each in withdrawal.taken}
    order = ["forbidden", "last", "github", "first", "tag", "folder"]
    assert list(taken) == order
    assert taken["first"].left == ()
    assert taken["last"].done == "0 files deleted; DELETE of the others is answered 405"
    assert taken["github"].done.startswith("NOT withdrawn: ")
    assert "answered 403: Not for you" in taken["github"].done
    assert "REGREEN_PUBLISH_TO" in taken["forbidden"].done
    assert (taken["github"].left, taken["forbidden"].left) == (("github",), ("forbidden",))
    aside = Path(withdrawal.directory)
    record = json.loads((aside / "WITHDRAWAL.json").read_text("utf-8"))
    assert [each["target"] for each in record["taken"]] == order[:-1]
    assert (aside / "withdrawal.openvex.json").is_file()


async def test_a_repository_that_is_gone_keeps_no_release_where_users_find_it(
    worker_client: Client, released: Released
) -> None:
    withdrawal = await _withdrawn(worker_client, released)

    assert not released.place.exists()
    taken = {each.target: each for each in withdrawal.taken}
    assert taken["tag"].done.startswith("NOT deleted: ")
    assert (taken["tag"].left, taken["folder"].left) == (("v1.0.0",), ())
    record = json.loads((Path(withdrawal.directory) / "WITHDRAWAL.json").read_text("utf-8"))
    assert "NOT deleted" in json.dumps(record)
    assert (Path(withdrawal.directory) / "WITHDRAWAL.json.bundle").is_file()


async def test_a_release_that_was_made_again_is_withdrawn_again(
    worker_client: Client, released: Released
) -> None:
    first = await _withdrawn(worker_client, released)
    await draft_release_folder(released.folder)
    await publish_release_folder(released.folder)
    assert released.place.is_dir()

    second = await _withdrawn(worker_client, released)

    assert not released.place.exists()
    assert second.directory != first.directory
    assert (Path(first.directory) / "release" / "SHA256SUMS").is_file()
    assert (Path(second.directory) / "release" / "SHA256SUMS").is_file()
    assert (Path(second.directory) / "WITHDRAWAL.json").is_file()
