"""Planning a release of real git repositories."""

from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError

from activities.artifact_store import get_bytes, put_bytes
from activities.release_plan import plan_release
from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.release_plan import PlanRequest, ReleasePlan
from regreen.pipeline_file import ReleaseSection
from tests.integration.wheel_project import FILES, commit, git, repository, workspace

WHEEL = ArtifactRef(name="tiny_shop-0.2.0-py3-none-any.whl", sha256="0" * 64, bytes=1)


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGREEN_STATE", str(tmp_path / "state"))


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return repository(tmp_path / "shop", FILES)


async def _plan(shop: Path, *patches: ArtifactRef, prefix: str = "v") -> ReleasePlan:
    return await plan_release(
        PlanRequest(
            workspace=await workspace(shop, *patches),
            settings=ReleaseSection(tag_prefix=prefix),
            packages=(WHEEL,) if patches else (),
            heals=("`total` left out the last item",) if patches else (),
        )
    )


async def test_the_first_release_takes_the_packages_version(shop: Path) -> None:
    plan = await _plan(shop)
    assert (plan.version, plan.tag, plan.previous_tag, plan.bump) == (
        "0.2.0",
        "v0.2.0",
        None,
        "initial",
    )
    assert plan.remarks == ()
    assert (await get_bytes(plan.notes)).decode().startswith("# tiny-shop 0.2.0\n")


async def test_commits_since_the_last_tag_decide_and_a_stale_package_is_told(shop: Path) -> None:
    git(shop, "tag", "--annotate", "--message", "first", "v0.2.0")
    commit(shop, {"a.txt": "a"}, "fix: mend the door")
    commit(shop, {"b.txt": "b"}, "feat(tea): sell tea\n\nWith milk.")
    plan = await _plan(shop)
    assert (plan.version, plan.previous_tag, plan.bump) == ("0.3.0", "v0.2.0", "minor")
    assert plan.package_version == "0.2.0"
    assert "calls itself 0.2.0, the release is 0.3.0" in plan.remarks[0]
    notes = (await get_bytes(plan.notes)).decode()
    assert "2 commits since v0.2.0." in notes
    assert plan.remarks[0] in notes
    assert "open the shop" not in notes
    assert f"- **tea:** sell tea ({git(shop, 'rev-parse', '--short=7', 'HEAD')})" in notes


async def test_a_commit_that_is_tagged_keeps_its_tag(shop: Path) -> None:
    git(shop, "tag", "v0.1.0")
    commit(shop, {"a.txt": "a"}, "fix: mend the door")
    git(shop, "tag", "v0.2.0")
    plan = await _plan(shop)
    assert (plan.tag, plan.previous_tag, plan.bump) == ("v0.2.0", "v0.1.0", "existing")


async def test_a_healed_tree_is_not_what_the_tag_names(shop: Path) -> None:
    git(shop, "tag", "v0.2.0")
    patch = await put_bytes("heal.patch", b"--- a\n")
    plan = await _plan(shop, patch)
    assert (plan.tag, plan.bump) == ("v0.2.1", "patch")
    assert "## Heals\n\n- \\`total\\` left out" in (await get_bytes(plan.notes)).decode()


async def test_tags_of_other_branches_prefixes_and_pre_releases_do_not_count(shop: Path) -> None:
    for tag in ("v0.2.0", "v9.0.0rc1", "other-5.0.0", "vanilla", "7.0.0"):
        git(shop, "tag", tag)
    git(shop, "checkout", "--quiet", "-b", "side")
    commit(shop, {"s.txt": "s"}, "feat: elsewhere")
    git(shop, "tag", "v0.2.1")
    git(shop, "checkout", "--quiet", "-")
    commit(shop, {"a.txt": "a"}, "fix: mend the door")
    plan = await _plan(shop)
    assert (plan.previous_tag, plan.tag) == ("v0.2.0", "v0.2.2")


async def test_another_prefix(shop: Path) -> None:
    git(shop, "tag", "shop/1.0.0")
    commit(shop, {"a.txt": "a"}, "fix: mend the door")
    assert (await _plan(shop, prefix="shop/")).tag == "shop/1.0.1"


async def test_the_same_request_gives_the_same_plan(shop: Path) -> None:
    assert await _plan(shop) == await _plan(shop)


@pytest.mark.parametrize("text", ["[project", "[project]\nversion = 7\n", "project = []\n", ""])
async def test_an_unreadable_project_file_says_nothing_about_the_version(
    text: str, tmp_path: Path
) -> None:
    plan = await _plan(repository(tmp_path / "odd", {"pyproject.toml": text}))
    assert (plan.version, plan.package_version) == ("0.1.0", None)


@pytest.mark.parametrize("prefix", ["v*", "a b", "..", "x~"])
async def test_a_prefix_that_git_does_not_take_is_refused(prefix: str, shop: Path) -> None:
    with pytest.raises(ApplicationError, match="tag_prefix") as caught:
        await _plan(shop, prefix=prefix)
    assert (caught.value.type, caught.value.non_retryable) == ("ReleasePlanInvalid", True)
