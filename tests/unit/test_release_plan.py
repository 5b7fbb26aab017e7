"""Planning a release of real git repositories."""

import hashlib
from pathlib import Path
from typing import Any

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


async def _plan(
    shop: Path,
    *patches: ArtifactRef,
    prefix: str = "v",
    ref: str = "main",
    waivers: tuple[str, ...] = (),
    **settings: Any,
) -> ReleasePlan:
    tree = await workspace(shop, *patches)
    source = tree.source.model_copy(update={"ref": ref})
    return await plan_release(
        PlanRequest(
            workspace=tree.model_copy(update={"source": source}),
            settings=ReleaseSection.model_validate({"tag_prefix": prefix} | settings),
            packages=(WHEEL,) if patches else (),
            heals=("`total` left out the last item",) if patches else (),
            waivers=waivers,
        )
    )


async def _refusal(shop: Path, *patches: ArtifactRef, **more: Any) -> str:
    with pytest.raises(ApplicationError) as caught:
        await _plan(shop, *patches, **more)
    assert (caught.value.type, caught.value.non_retryable) == ("ReleasePlanInvalid", True)
    assert "\n" not in caught.value.message
    return caught.value.message


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


async def test_the_plan_says_which_commits_decide_and_what_has_changed(shop: Path) -> None:
    git(shop, "tag", "v1.0.0")
    commit(shop, {"a.txt": "a\n", "b.txt": "b\nb\n"}, "feat: sell tea")
    commit(shop, {"a.txt": "c\n", "logo.png": "\0\0"}, "fix: mend the door")
    plan = await _plan(shop)
    assert plan.because == "1 feature of 2 commits since 1.0.0"
    assert [line.partition(" ")[2] for line in plan.deciding] == ["feat: sell tea"]
    assert plan.changes is not None
    commits = [line.partition(" ")[2] for line in plan.changes.commits]
    assert commits == ["fix: mend the door", "feat: sell tea"]
    assert {file.path: (file.insertions, file.deletions) for file in plan.changes.files} == {
        "a.txt": (1, 0),
        "b.txt": (2, 0),
        "logo.png": (None, None),
    }
    assert (plan.changes.file_count, plan.changes.insertions) == (3, 3)
    diff = (await get_bytes(plan.changes.diff)).decode()
    assert "+++ b/b.txt\n@@ -0,0 +1,2 @@\n+b\n+b\n" in diff
    assert "-a\n" not in diff


async def test_what_is_listed_is_bounded_and_the_counts_are_not(shop: Path) -> None:
    git(shop, "tag", "v1.0.0")
    for number in range(25):
        commit(shop, {f"{number}.txt": "x\n" * (number + 1)}, f"fix: {'long ' * 60}{number}\x1b[2J")
    plan = await _plan(shop)
    assert plan.changes is not None
    assert (plan.changes.commit_count, len(plan.changes.commits)) == (25, 20)
    assert (plan.changes.file_count, len(plan.changes.files)) == (25, 20)
    assert plan.changes.files[0].path == "24.txt"
    assert plan.changes.insertions == sum(range(1, 26))
    lines = (*plan.changes.commits, *plan.deciding)
    assert all(len(line) <= 200 and line.isprintable() for line in lines)


async def test_the_steps_say_what_can_be_done_about_them(shop: Path) -> None:
    targets = [
        {"kind": "github"},
        {"kind": "index", "url": "https://upload.example.org/", "simple": "https://example.org/"},
        {"kind": "http", "name": "mirror", "url": "https://downloads.example.org"},
    ]
    plan = await _plan(shop, targets=targets)
    assert [(step.name, step.kind) for step in plan.steps] == [
        ("tag", "reversible"),
        ("folder", "reversible"),
        ("github", "irrevocable"),
        ("index", "yank-only"),
        ("mirror", "reversible"),
    ]
    assert plan.steps[0].place == "v0.2.0"
    assert plan.steps[2].place == "release v0.2.0 of example/tiny-shop"


async def test_a_transparency_log_is_an_irrevocable_step_and_the_first(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGREEN_REKOR_URL", "https://rekor.example.com")

    plan = await _plan(shop)

    assert (plan.steps[0].kind, plan.steps[0].place) == ("irrevocable", "https://rekor.example.com")
    assert plan.steps[0].undo.endswith("names digests only")


async def test_certificates_are_an_irrevocable_step_that_names_who_signs(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (
        ("FULCIO_URL", "https://fulcio.example.com"),
        ("FULCIO_CERTIFICATES", "fulcio.pem"),
        ("CERTIFICATE_IDENTITY", "release@example.org"),
        ("CERTIFICATE_OIDC_ISSUER", "https://accounts.example.org"),
        ("REKOR_URL", "https://rekor.example.com"),
    ):
        monkeypatch.setenv(f"REGREEN_{name}", value)

    certificates, log, *_ = (await _plan(shop)).steps

    assert (certificates.kind, certificates.place) == ("irrevocable", "https://fulcio.example.com")
    assert log.undo.endswith("names digests and who signs")


async def test_zero_stays_zero_unless_told(shop: Path) -> None:
    git(shop, "tag", "v0.2.0")
    commit(shop, {"a.txt": "a"}, "feat!: drop coffee")
    plan = await _plan(shop)
    assert (plan.version, plan.breaking) == ("0.3.0", ("drop coffee",))
    assert "0.x stays 0.x" in plan.because
    assert (await _plan(shop, major_on_zero=True)).version == "1.0.0"


async def test_the_first_release_breaks_nothing_and_has_no_diff(shop: Path) -> None:
    commit(shop, {"a.txt": "a"}, "feat!: drop coffee")
    plan = await _plan(shop)
    assert (plan.breaking, plan.changes) == ((), None)


async def test_waivers_are_in_the_notes(shop: Path) -> None:
    plan = await _plan(shop, waivers=("B602 at shop.py:7, by the shop team until 2027-01-01: no",))
    notes = (await get_bytes(plan.notes)).decode()
    assert "## Waivers\n\n- B602 at shop.py:7, by the shop team until 2027-01-01: no\n" in notes


async def test_a_version_that_is_asked_for_wins(shop: Path) -> None:
    git(shop, "tag", "v1.0.0")
    commit(shop, {"a.txt": "a"}, "fix: mend the door\n\nRelease-As: 2.5.0")
    commit(shop, {"b.txt": "b"}, "fix: mend the roof\n\nrelease-as: v2.6.0")
    commit(shop, {"c.txt": "c"}, "feat: sell tea")
    plan = await _plan(shop)
    assert (plan.version, plan.bump) == ("2.6.0", "override")
    assert plan.because == f"asked for by Release-As in commit {plan.deciding[0][:7]}"
    plan = await _plan(shop, version="3.0.0")
    assert (plan.version, plan.because) == ("3.0.0", "asked for by release.version in regreen.yaml")
    assert plan.deciding == ()


@pytest.mark.parametrize(
    ("version", "why"),
    [
        ("0.9.0", "release.version in regreen.yaml: 0.9.0 is below the last release 1.0.0; raise"),
        ("1.0.0", "release.version in regreen.yaml: 1.0.0 is released already; raise it or take"),
        ("4.0.0", "release.version in regreen.yaml: 4.0.0 is released already; raise it or take"),
    ],
)
async def test_a_version_that_cannot_be_is_refused(version: str, why: str, shop: Path) -> None:
    git(shop, "tag", "v1.0.0")
    git(shop, "checkout", "--quiet", "-b", "side")
    commit(shop, {"s.txt": "s"}, "feat: elsewhere")
    git(shop, "tag", "v4.0.0")
    git(shop, "checkout", "--quiet", "-")
    commit(shop, {"a.txt": "a"}, "fix: mend the door")
    assert (await _refusal(shop, version=version)).startswith(why)


async def test_a_footer_that_is_no_version_is_refused_until_a_newer_one_mends_it(
    shop: Path,
) -> None:
    git(shop, "tag", "v1.0.0")
    bad = commit(shop, {"a.txt": "a"}, "fix: mend the door\n\nRelease-As: banana")
    said = await _refusal(shop)
    assert said == f"Release-As in commit {bad[:7]}: 'banana' is not a version such as 2.0.0"
    commit(shop, {"b.txt": "b"}, "chore: mend it\n\nRelease-As: 2.0.0")
    assert (await _plan(shop)).version == "2.0.0"


async def test_a_released_commit_keeps_the_version_that_the_file_asks_for(shop: Path) -> None:
    git(shop, "tag", "v2.0.0")
    assert (await _plan(shop, version="2.0.0")).bump == "existing"
    git(shop, "tag", "v2.0.1")
    plan = await _plan(shop, version="3.0.0")
    assert (plan.version, plan.bump) == ("3.0.0", "override")


async def test_pre_releases_of_a_branch_count_on(shop: Path) -> None:
    prerelease = {"next/*": "beta", "develop": "rc"}
    git(shop, "tag", "v1.0.0")
    commit(shop, {"a.txt": "a"}, "feat: sell tea")
    plan = await _plan(shop, ref="develop", prerelease=prerelease)
    assert (plan.version, plan.tag, plan.prerelease) == ("1.1.0rc1", "v1.1.0rc1", True)
    git(shop, "tag", plan.tag)
    assert (await _plan(shop, ref="develop", prerelease=prerelease)).bump == "existing"
    commit(shop, {"b.txt": "b"}, "fix: mend the door")
    plan = await _plan(shop, ref="develop", prerelease=prerelease)
    assert (plan.version, plan.previous_tag) == ("1.1.0rc2", "v1.0.0")
    assert (await _plan(shop, ref="refs/heads/next/tea", prerelease=prerelease)).tag == "v1.1.0b1"
    final = await _plan(shop, ref="main", prerelease=prerelease)
    assert (final.version, final.prerelease) == ("1.1.0", False)
    assert (await _plan(shop, ref="develop", prerelease=prerelease, version="2.0.0")).version == (
        "2.0.0rc1"
    )


async def test_a_pre_releases_commit_becomes_the_release_on_another_branch(shop: Path) -> None:
    git(shop, "tag", "v1.0.0")
    commit(shop, {"a.txt": "a"}, "feat: sell tea")
    git(shop, "tag", "v1.1.0rc1")
    prerelease = {"develop": "rc"}
    assert (await _plan(shop, ref="main", prerelease=prerelease)).tag == "v1.1.0"
    assert (await _plan(shop, ref="v1.1.0rc1", prerelease=prerelease)).tag == "v1.1.0rc1"


async def test_without_a_python_package_a_pre_release_is_spelled_as_semver_has_it(
    tmp_path: Path,
) -> None:
    shop = repository(tmp_path / "scripts", {"shop.js": "1\n"})
    git(shop, "tag", "v1.0.0")
    commit(shop, {"a.txt": "a"}, "feat: sell tea")
    plan = await _plan(shop, ref="develop", prerelease={"develop": "alpha"})
    assert plan.tag == "v1.1.0-alpha.1"
    git(shop, "tag", plan.tag)
    commit(shop, {"b.txt": "b"}, "fix: mend the door")
    plan = await _plan(shop, ref="develop", prerelease={"develop": "alpha"})
    assert plan.tag == "v1.1.0-alpha.2"


async def test_an_index_does_not_get_a_pre_release_under_the_releases_name(shop: Path) -> None:
    git(shop, "tag", "v0.1.0")
    commit(shop, {"a.txt": "a"}, "feat: sell tea")
    index = {"kind": "index", "url": "https://example.org/u/", "simple": "https://example.org/s/"}
    said = await _refusal(shop, ref="develop", prerelease={"develop": "rc"}, targets=[index])
    assert said.endswith("set the package's version to 0.2.0rc1")


async def test_only_commits_that_touch_the_paths_count(shop: Path) -> None:
    git(shop, "tag", "v1.0.0")
    commit(shop, {"tea/a.txt": "a"}, "fix: mend the pot")
    commit(shop, {"teapot/a.txt": "a", "coffee/a.txt": "a"}, "feat!: drop coffee")
    plan = await _plan(shop, paths=["tea", "LICENSE"])
    assert (plan.version, plan.nothing) == ("1.0.1", "")
    assert plan.changes is not None
    assert (plan.changes.commit_count, plan.changes.file_count) == (1, 1)
    plan = await _plan(shop, paths=["milk", "tea*"])
    assert (plan.bump, plan.nothing) == ("none", "no commit since v1.0.0 touches milk, tea*")
    assert (await _plan(shop, paths=["milk"], version="2.0.0")).version == "2.0.0"


async def test_a_heal_below_the_paths_is_something_to_release(shop: Path) -> None:
    git(shop, "tag", "v1.0.0")
    text = (
        "diff --git a/tea/a.txt b/tea/a.txt\nnew file mode 100644\nindex 0000000..7898192\n"
        "--- /dev/null\n+++ b/tea/a.txt\n@@ -0,0 +1 @@\n+a\n"
    )
    patch = await put_bytes("heal.patch", text.encode())
    assert (await _plan(shop, patch, paths=["tea"])).version == "1.0.1"
    assert (await _plan(shop, patch, paths=["tea/a.txt"])).version == "1.0.1"
    assert (await _plan(shop, patch, paths=["coffee"])).bump == "none"


async def _documents(shop: Path, **checklist: Any) -> dict[str, tuple[str, str]]:
    plan = await _plan(shop, checklist=checklist)
    for document in plan.documents:
        if not document.problem:
            there = hashlib.sha256((shop / document.path).read_bytes()).hexdigest()
            assert document.sha256 == there
    return {each.item: (each.path, each.problem) for each in plan.documents}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("# Changes\n\n## 2.0.0 (today)\n", True),
        ("## [v2.0.0] - today\n", True),
        ("## 12.0.0\n## 2.0.01\n## 2.0.0.1\n## 2.0.0rc1\n## 2.0.0-rc.1\n", False),
        ("## Unreleased\n", False),
    ],
)
async def test_the_changelog_has_to_mention_the_version(text: str, found: bool, shop: Path) -> None:
    git(shop, "tag", "v1.0.0")
    commit(shop, {"CHANGELOG.md": text}, "feat: a\n\nRelease-As: 2.0.0")
    problem = "" if found else "CHANGELOG.md does not mention 2.0.0"
    assert await _documents(shop) == {"changelog": ("CHANGELOG.md", problem)}


async def test_a_breaking_release_changes_or_names_a_migration_guide(shop: Path) -> None:
    commit(shop, {"docs/migration-2.md": "# To 2\n"}, "docs: explain")
    git(shop, "tag", "v1.0.0")
    commit(shop, {"a.py": "a"}, "feat!: drop coffee from tiny_shop/__init__.py")
    nowhere = "the release breaks something, no `BREAKING CHANGE:` names a migration guide"
    assert await _documents(shop) == {"migration": ("", nowhere)}
    pattern = {"migration": "docs/migration-*.md"}
    [(path, problem)] = (await _documents(shop, **pattern)).values()
    assert (path, "no file of docs/migration-*.md has changed" in problem) == ("", True)
    commit(shop, {"docs/migration-2.md": "# To 2\n\nBuy tea.\n"}, "docs: explain")
    assert await _documents(shop, **pattern) == {"migration": ("docs/migration-2.md", "")}
    message = "fix: b\n\nBREAKING CHANGE: no more coffee, see docs/migration-2.md."
    commit(shop, {"b.txt": "b"}, message)
    assert await _documents(shop) == {"migration": ("docs/migration-2.md", "")}


async def test_the_rollback_plan_has_to_be_there_and_say_something(shop: Path) -> None:
    rollback = {"rollback": "docs/rollback.md"}
    missing = ("docs/rollback.md", "docs/rollback.md is not in the commit")
    plan = await _plan(shop, checklist=rollback)
    assert [(each.path, each.problem) for each in plan.documents] == [missing]
    commit(shop, {"docs/rollback.md": " \n"}, "docs: plan")
    assert (await _documents(shop, **rollback))["rollback"][1] == "docs/rollback.md is empty"
    commit(shop, {"docs/rollback.md": "Put 1.0 back.\n"}, "docs: plan")
    assert (await _documents(shop, **rollback))["rollback"][1] == ""
