"""The memory of failed patches: across runs, writers at once, on disk and in S3, within bounds."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import obstore
import pytest
from temporalio.testing import ActivityEnvironment

from activities.artifact_store import open_store
from activities.patch_memory import (
    MemoryQuestion,
    RememberRequest,
    recall_failed_patches,
    remember_failed_patches,
)
from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.healing import FailedPatch
from regreen.settings import load_settings

SIGNATURE = "0123456789abcdef"


@pytest.fixture(params=["folder", "s3"])
def store(
    request: pytest.FixtureRequest,
    own_state: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    """The artifact store, in both of its kinds, with nothing in it."""
    if request.param == "s3":
        shared = request.getfixturevalue("s3_store")
        monkeypatch.setenv("REGREEN_ARTIFACTS", f"{shared}/{tmp_path.name}")
    return str(request.param)


def failed(number: int, **changes: Any) -> FailedPatch:
    fields = {
        "healer": "openai",
        "verdict": "tests_red",
        "reason": f"reason {number}",
        "patch": ArtifactRef(name="a.patch", sha256=f"{number:064x}", bytes=100),
        "normal_form": f"{number:016x}",
        "workspace": "f" * 16,
    }
    return FailedPatch.model_validate(fields | changes)


async def remember(*patches: FailedPatch, repository: str = "example/shop") -> None:
    request = RememberRequest(repository=repository, signature=SIGNATURE, patches=patches)
    await ActivityEnvironment().run(remember_failed_patches, request)


async def recall(
    repository: str = "example/shop", signature: str = SIGNATURE
) -> tuple[FailedPatch, ...]:
    question = MemoryQuestion(repository=repository, signature=signature)
    return (await ActivityEnvironment().run(recall_failed_patches, question)).patches


async def objects() -> AsyncIterator[str]:
    store = open_store(load_settings().artifacts_url)
    for each in await obstore.list(store, prefix="failed-patches").collect_async():
        yield each["path"]


async def test_nothing_is_known_of_a_new_failure(store: str) -> None:
    assert await recall() == ()


async def test_a_patch_is_recalled_by_repository_and_failure(store: str) -> None:
    patch = failed(1, origin="attempt 3")
    await remember(patch)
    assert await recall() == (patch.model_copy(update={"origin": "an earlier run"}),)
    assert await recall(repository="example/other") == ()
    assert await recall(signature="f" * 16) == ()


async def test_writing_twice_is_writing_once(store: str) -> None:
    for _ in range(2):
        await remember(failed(1), failed(2))
    assert len([path async for path in objects()]) == 2


async def test_a_rejection_stands_beside_the_failure_of_the_same_patch(store: str) -> None:
    await remember(failed(1))
    await remember(failed(1, verdict="rejected"))
    assert {patch.verdict for patch in await recall()} == {"tests_red", "rejected"}


async def test_writers_at_the_same_time_lose_nothing(store: str) -> None:
    await asyncio.gather(*(remember(failed(number)) for number in range(12)))
    assert {patch.reason for patch in await recall()} == {f"reason {n}" for n in range(12)}


async def test_it_is_bounded_in_what_it_gives_and_in_what_it_keeps(store: str) -> None:
    await remember(*(failed(number) for number in range(103)))
    assert len(await recall()) == 20
    before = {path async for path in objects()}
    await remember(failed(200))
    after = {path async for path in objects()}
    assert 100 <= len(after) <= 101
    assert len(after - before) == 1


async def test_a_reason_is_one_short_line_without_secrets(store: str) -> None:
    key = "ghp_" + "0123456789abcdef" * 3
    await remember(failed(1, reason=f"line one\n\x1b[31mkey {key} " + "x" * 5_000))
    [patch] = await recall()
    assert patch.reason.startswith("line one key [redacted] xxx")
    assert len(patch.reason) == 300


async def test_what_cannot_be_read_is_left_out(store: str) -> None:
    await remember(failed(1))
    [path] = [path async for path in objects()]
    folder = path.rpartition("/")[0]
    for name, content in (("a.json", b"{}"), ("b.json", b"\xff"), ("c.json", b"x" * 50_000)):
        await obstore.put_async(
            open_store(load_settings().artifacts_url), f"{folder}/{name}", content
        )
    assert [patch.reason for patch in await recall()] == ["reason 1"]


@pytest.mark.parametrize("repository", ["local/shop-0a1b", "../../etc", "a b/ü?*", "x" * 3_000])
async def test_any_repository_name_has_a_place(store: str, repository: str) -> None:
    await remember(failed(1), repository=repository)
    assert len(await recall(repository=repository)) == 1
