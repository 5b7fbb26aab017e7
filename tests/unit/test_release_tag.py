"""Making, adopting and taking back tags in real repositories."""

import asyncio
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError

from activities.git_tag import create_tag, delete_tag
from regreen.contracts.release import TagRequest
from tests.integration.wheel_project import FILES, commit, git, repository


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return repository(tmp_path / "shop", FILES)


def _request(shop: Path, name: str = "v1.0.0", at: str = "2026-11-23T10:00:00+00:00") -> TagRequest:
    return TagRequest(
        location=str(shop),
        name=name,
        commit=git(shop, "rev-parse", "HEAD"),
        message=f"{name}\n\nReleased by run",
        tagged_at=at,
    )


async def test_an_annotated_tag_names_commit_time_and_message(shop: Path) -> None:
    request = _request(shop)
    receipt = await create_tag(request)
    assert (receipt.commit, receipt.adopted) == (request.commit, False)
    assert git(shop, "rev-parse", "v1.0.0") == receipt.object
    assert git(shop, "rev-parse", "v1.0.0^{commit}") == request.commit
    tag = git(shop, "cat-file", "tag", "v1.0.0")
    assert "tagger Regreen <regreen@localhost> 1795428000 +0000" in tag
    assert tag.endswith("v1.0.0\n\nReleased by run")
    git(shop, "fsck", "--strict")


async def test_a_retry_makes_no_second_tag(shop: Path) -> None:
    first = await create_tag(_request(shop))
    assert await create_tag(_request(shop)) == first


async def test_of_many_at_once_all_get_one_tag(shop: Path) -> None:
    receipts = await asyncio.gather(*(create_tag(_request(shop)) for _ in range(5)))
    assert {receipt.object for receipt in receipts} == {git(shop, "rev-parse", "v1.0.0")}


@pytest.mark.parametrize("kind", ["lightweight", "annotated"])
async def test_somebody_elses_tag_at_the_commit_is_adopted_and_never_deleted(
    kind: str, shop: Path
) -> None:
    git(shop, "tag", *([] if kind == "lightweight" else ["--annotate", "-m", "mine"]), "v1.0.0")
    before = git(shop, "rev-parse", "v1.0.0")
    assert (await create_tag(_request(shop))).adopted
    assert not await delete_tag(_request(shop))
    assert git(shop, "rev-parse", "v1.0.0") == before


async def test_a_tag_at_another_commit_is_a_conflict_that_names_both(shop: Path) -> None:
    git(shop, "tag", "v1.0.0")
    other = git(shop, "rev-parse", "HEAD")
    commit(shop, {"a.txt": "a"}, "fix: mend the door")
    request = _request(shop)
    with pytest.raises(ApplicationError) as caught:
        await create_tag(request)
    assert (caught.value.type, caught.value.non_retryable) == ("TagConflict", True)
    assert other[:12] in caught.value.message
    assert request.commit[:12] in caught.value.message
    assert git(shop, "rev-parse", "v1.0.0") == other


async def test_ones_own_tag_is_taken_back_once(shop: Path) -> None:
    await create_tag(_request(shop))
    assert await delete_tag(_request(shop))
    assert git(shop, "tag", "--list") == ""
    assert not await delete_tag(_request(shop))


async def test_another_runs_tag_is_not_taken_back(shop: Path) -> None:
    await create_tag(_request(shop, at="2026-11-23T11:00:00+00:00"))
    assert not await delete_tag(_request(shop))
    assert git(shop, "tag", "--list") == "v1.0.0"


async def test_hooks_of_the_repository_do_not_run(shop: Path, tmp_path: Path) -> None:
    hook = shop / ".git" / "hooks" / "reference-transaction"
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path / 'ran'}\n")
    hook.chmod(0o755)
    await create_tag(_request(shop))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["v 1", "v1..2", "v1.lock", "v1\nobject"])
async def test_bad_names_are_refused(name: str, shop: Path) -> None:
    with pytest.raises(ApplicationError, match="is not a tag name") as caught:
        await create_tag(_request(shop, name=name))
    assert (caught.value.type, caught.value.non_retryable) == ("TagRefused", True)


async def test_a_commit_that_is_not_there_is_refused(shop: Path) -> None:
    request = _request(shop).model_copy(update={"commit": "1" * 40})
    with pytest.raises(ApplicationError, match="not in the repository") as caught:
        await create_tag(request)
    assert caught.value.non_retryable


async def test_a_repository_elsewhere_is_refused(shop: Path) -> None:
    request = _request(shop).model_copy(update={"location": "https://example.invalid/shop.git"})
    with pytest.raises(ApplicationError, match="on this machine's disk") as caught:
        await create_tag(request)
    assert caught.value.non_retryable
