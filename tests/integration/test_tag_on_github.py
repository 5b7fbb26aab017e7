"""Tags of releases whose repository is on GitHub: the same objects, pushed and taken back once."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.git_tag import create_tag, delete_tag
from activities.release_plan import plan_release
from regreen.contracts.release import TagReceipt, TagRequest
from regreen.contracts.release_plan import PlanRequest
from regreen.contracts.source import Workspace
from regreen.pipeline_file import ReleaseSection
from tests.e2e.plain_repository import git
from tests.integration.forge_places import ForgePlace, forge_of_kind

pytestmark = pytest.mark.usefixtures("own_state")


@pytest.fixture
def forge(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ForgePlace]:
    with forge_of_kind("github", monkeypatch, tmp_path) as place:
        yield place


def _request(forge: ForgePlace, commit: str = "") -> TagRequest:
    return TagRequest(
        location=forge.location,
        name="v1.0.0",
        commit=commit or forge.tip("main"),
        message="v1.0.0\n\nReleased by run",
        tagged_at="2026-11-23T10:00:00+00:00",
    )


async def _create(request: TagRequest) -> TagReceipt:
    return await ActivityEnvironment().run(create_tag, request)


async def _delete(request: TagRequest) -> bool:
    return await ActivityEnvironment().run(delete_tag, request)


async def test_a_tag_is_pushed_once_and_is_the_one_that_a_disk_gets(forge: ForgePlace) -> None:
    request = _request(forge)

    made = await _create(request)

    assert await _create(request) == made
    assert git(forge.there, "rev-parse", "refs/tags/v1.0.0") == made.object
    assert git(forge.there, "rev-parse", "v1.0.0^{commit}") == request.commit
    on_disk = await _create(request.model_copy(update={"location": str(forge.own)}))
    assert on_disk.object == made.object


async def test_a_push_under_way_when_it_was_cancelled_is_taken_back(
    forge: ForgePlace, tmp_path: Path
) -> None:
    asked, answer = tmp_path / "asked", tmp_path / "answer"
    hook = forge.there / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {asked}\nwhile [ ! -e {answer} ]; do sleep 0.1; done\n")
    hook.chmod(0o755)
    environment = ActivityEnvironment()
    pushing = asyncio.create_task(environment.run(create_tag, _request(forge)))
    while not asked.exists():
        assert not pushing.done()
        await asyncio.sleep(0.02)

    environment.cancel()
    asyncio.get_running_loop().call_later(0.5, answer.touch)
    with pytest.raises(asyncio.CancelledError):
        await pushing

    assert await _delete(_request(forge))
    assert git(forge.there, "tag", "--list") == ""


async def test_ones_own_tag_is_taken_back_once(forge: ForgePlace) -> None:
    await _create(_request(forge))

    assert await _delete(_request(forge))
    assert git(forge.there, "tag", "--list") == ""
    assert not await _delete(_request(forge))


@pytest.mark.parametrize("kind", ["lightweight", "annotated"])
async def test_somebody_elses_tag_at_the_commit_is_adopted_and_never_deleted(
    kind: str, forge: ForgePlace
) -> None:
    git(forge.there, "tag", *([] if kind == "lightweight" else ["--annotate", "-m", "m"]), "v1.0.0")
    before = git(forge.there, "rev-parse", "refs/tags/v1.0.0")

    assert (await _create(_request(forge))).adopted
    assert not await _delete(_request(forge))

    assert git(forge.there, "rev-parse", "refs/tags/v1.0.0") == before


async def test_a_tag_at_another_commit_is_a_conflict(forge: ForgePlace) -> None:
    git(forge.there, "tag", "v1.0.0")
    before = forge.tip("main")
    await forge.later("")

    with pytest.raises(ApplicationError, match=f"v1.0.0 is at {before[:12]}") as raised:
        await _create(_request(forge))

    assert (raised.value.type, raised.value.non_retryable) == ("TagConflict", True)


async def test_a_commit_that_is_not_there_is_refused(forge: ForgePlace) -> None:
    with pytest.raises(ApplicationError, match="not in the repository") as raised:
        await _create(_request(forge, "1" * 40))

    assert (raised.value.type, raised.value.non_retryable) == ("TagRefused", True)


async def test_a_wrong_token_is_tried_again_and_not_told(
    forge: ForgePlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "ghs_a-wrong-token")

    with pytest.raises(ApplicationError) as raised:
        await _create(_request(forge))

    assert not raised.value.non_retryable
    assert "ghs_a-wrong-token" not in str(raised.value)


async def test_a_version_that_another_branch_has_tagged_is_not_planned(forge: ForgePlace) -> None:
    tree = git(forge.there, "rev-parse", "main^{tree}")
    git(forge.there, "tag", "v0.1.0", git(forge.there, "commit-tree", tree, "-m", "feat: other"))
    workspace = Workspace(source=(await forge.fetch()).source)

    plan = await ActivityEnvironment().run(
        plan_release, PlanRequest(workspace=workspace, settings=ReleaseSection())
    )

    assert (plan.previous_tag, plan.tag) == (None, "v0.1.1")
