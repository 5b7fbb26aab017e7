"""Taking back a release whose parts are not what they were: the publisher's real activities."""

import hashlib
import json
import shutil
import uuid
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.client import Client, WorkflowFailureError

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
from tests.integration.release_places import (
    COMMIT,
    REPOSITORY,
    VERSION,
    WHEEL,
    release_request,
    wheel_of,
)
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

        assert (first.files, len(last.files)) == ({}, 4)
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


async def test_a_version_that_is_released_and_withdrawn_again_is_gone_again(
    worker_client: Client, released: Released
) -> None:
    first = await _withdrawn(worker_client, released)
    other = (
        await release_request(TargetSection(kind="http"), wheel_of("shop", "1.0.0", "2.2"))
    ).files
    folder = released.folder.model_copy(update={"run": "another", "files": other})
    await publish_release_folder(folder)
    again = replace(released, folder=folder)

    second = await _withdrawn(worker_client, again)

    assert not released.place.exists()
    for withdrawal, run, files in (
        (first, "run", released.folder.files),
        (second, "another", other),
    ):
        aside = Path(withdrawal.directory)
        assert json.loads((aside / "WITHDRAWAL.json").read_text("utf-8"))["run"] == run
        wheel = (aside / "release" / WHEEL).read_bytes()
        assert hashlib.sha256(wheel).hexdigest() == files[0].content.sha256
    # Done once more, as after an answer that was lost, it finds what it has done.
    assert (await _withdrawn(worker_client, again)).directory == second.directory


async def test_a_release_that_is_not_there_is_refused_and_nothing_is_written(
    worker_client: Client, released: Released
) -> None:
    shutil.rmtree(released.place)
    with pytest.raises(WorkflowFailureError) as caught:
        await _withdrawn(worker_client, released)
    assert "is not there to withdraw" in str(caught.value.cause.__cause__)
    assert not (released.place.parent / "withdrawn").exists()


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
