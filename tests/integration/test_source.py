"""The source step: a commit becomes an artifact, whatever name leads to it."""

import subprocess
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.artifact_store import get_file
from activities.source import SourceRequest, fetch_source, read_pipeline
from activities.workspace import checked_out
from regreen.contracts.run import SourceFetched
from regreen.contracts.source import Workspace
from regreen.errors import UsageError
from regreen.pipeline_file import Pipeline
from tests.e2e.plain_repository import git, plain_repository, working_state

pytestmark = pytest.mark.usefixtures("own_state")


async def _fetch(
    repository: Path | str, commit: str, ref: str = "main", base: str = ""
) -> SourceFetched:
    request = SourceRequest(
        repository="local/shop", location=str(repository), ref=ref, commit=commit, base=base
    )
    return await ActivityEnvironment().run(fetch_source, request)


def _commit(repository: Path, name: str, text: str) -> str:
    (repository / name).write_text(text)
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", f"feat: {name}")
    return git(repository, "rev-parse", "HEAD")


async def test_the_tree_of_the_commit_is_fetched_not_the_working_tree(tmp_path: Path) -> None:
    repository = plain_repository(tmp_path / "shop", {"a.py": "A = 1\n"})
    first = git(repository, "rev-parse", "HEAD")
    _commit(repository, "a.py", "A = 2\n")
    (repository / "a.py").write_text("A = 3\n")
    before = working_state(repository)

    fetched = await _fetch(repository, first)

    assert fetched.source.commit == first
    assert fetched.source.tree == git(repository, "rev-parse", f"{first}^{{tree}}")
    async with checked_out(Workspace(source=fetched.source)) as copy:
        assert (copy / "a.py").read_text() == "A = 1\n"
    assert working_state(repository) == before


async def test_the_bundle_holds_history_and_the_tags_that_lead_to_the_commit(
    tmp_path: Path,
) -> None:
    repository = plain_repository(tmp_path / "shop", {"a.py": "A = 1\n"})
    git(repository, "tag", "v1.0.0")
    git(repository, "tag", "--annotate", "v1.0.1", "--message", "annotated")
    commit = _commit(repository, "a.py", "A = 2\n")
    _commit(repository, "a.py", "A = 3\n")
    git(repository, "tag", "v9.0.0")

    fetched = await _fetch(repository, commit)

    bundle = tmp_path / "source.bundle"
    await get_file(fetched.source.bundle, bundle)
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", "--branch", "source", str(bundle), str(clone))
    assert git(clone, "tag").splitlines() == ["v1.0.0", "v1.0.1"]
    assert git(clone, "rev-list", "--count", "HEAD") == "2"


async def test_a_commit_on_no_branch_but_a_tag_is_found(tmp_path: Path) -> None:
    repository = plain_repository(tmp_path / "shop", {"a.py": "A = 1\n"})
    git(repository, "checkout", "--quiet", "--detach")
    commit = _commit(repository, "a.py", "A = 2\n")
    git(repository, "tag", "release-candidate")
    git(repository, "checkout", "--quiet", "main")

    assert (await _fetch(repository, commit)).source.commit == commit


async def test_a_detached_head_is_found(tmp_path: Path) -> None:
    repository = plain_repository(tmp_path / "shop", {"a.py": "A = 1\n"})
    git(repository, "checkout", "--quiet", "--detach")
    commit = _commit(repository, "a.py", "A = 2\n")

    assert (await _fetch(repository, commit, ref="HEAD")).source.commit == commit


async def test_a_repository_with_sha256_names(tmp_path: Path) -> None:
    repository = tmp_path / "shop"
    git(tmp_path, "init", "--quiet", "--object-format=sha256", "--initial-branch=main", "shop")
    commit = _commit(repository, "a.py", "A = 1\n")
    assert len(commit) == 64

    fetched = await _fetch(repository, commit)

    async with checked_out(Workspace(source=fetched.source)) as copy:
        assert (copy / "a.py").read_text() == "A = 1\n"


async def test_the_pipeline_file_is_the_commits_own(tmp_path: Path) -> None:
    files = {"a.py": "A = 1\n", "regreen.yaml": "unit: {paths: [a.py]}\n"}
    repository = plain_repository(tmp_path / "shop", files)
    (repository / "regreen.yaml").write_text("nonsense: [\n")

    fetched = await _fetch(repository, git(repository, "rev-parse", "HEAD"))

    assert fetched.pipeline.unit.paths == ("a.py",)


async def test_without_a_pipeline_file_the_defaults_hold(tmp_path: Path) -> None:
    repository = plain_repository(tmp_path / "shop", {"a.py": "A = 1\n"})

    assert await read_pipeline(repository, "HEAD") == Pipeline()


async def test_a_bad_pipeline_file_ends_the_step_for_good(tmp_path: Path) -> None:
    repository = plain_repository(tmp_path / "shop", {"regreen.yaml": "unti: {}\n"})
    commit = git(repository, "rev-parse", "HEAD")

    with pytest.raises(UsageError, match=r"regreen\.yaml:1: unknown key `unti`"):
        await read_pipeline(repository, commit)
    with pytest.raises(ApplicationError, match=r"regreen\.yaml:1: unknown key `unti`") as raised:
        await _fetch(repository, commit)
    assert raised.value.type == "PipelineFileInvalid"
    assert raised.value.non_retryable


async def test_a_commit_that_is_not_there_ends_the_step_for_good(tmp_path: Path) -> None:
    repository = plain_repository(tmp_path / "shop", {"a.py": "A = 1\n"})

    with pytest.raises(ApplicationError, match="0123456789ab is not in local/shop") as raised:
        await _fetch(repository, "0123456789abcdef0123456789abcdef01234567")

    assert raised.value.type == "SourceMissing"
    assert raised.value.non_retryable


async def test_a_repository_that_does_not_answer_may_answer_later(tmp_path: Path) -> None:
    with pytest.raises(ApplicationError, match="git fetch") as raised:
        await _fetch(tmp_path / "nowhere", "0" * 40)

    assert raised.value.type == "GitFailed"
    assert not raised.value.non_retryable


async def test_a_location_cannot_run_a_command(tmp_path: Path) -> None:
    mark = tmp_path / "ran"

    for location in (f"ext::sh -c 'touch {mark}'", f"--upload-pack=touch {mark}"):
        with pytest.raises(ApplicationError):
            await _fetch(location, "0" * 40)

    assert not mark.exists()


async def test_hooks_of_the_repository_are_not_run(tmp_path: Path) -> None:
    repository = plain_repository(tmp_path / "shop", {"a.py": "A = 1\n"})
    mark = tmp_path / "ran"
    for name in ("post-checkout", "reference-transaction", "pre-commit"):
        hook = repository / ".git" / "hooks" / name
        hook.write_text(f"#!/bin/sh\ntouch {mark}\n")
        hook.chmod(0o755)

    await _fetch(repository, git_without_hooks(repository))

    assert not mark.exists()


def git_without_hooks(repository: Path) -> str:
    """The commit, asked in a way that runs no hook either."""
    command = ["git", "-c", "core.hooksPath=/dev/null", "rev-parse", "HEAD"]
    return subprocess.run(
        command, cwd=repository, capture_output=True, text=True, check=True
    ).stdout.strip()


def _branched(folder: Path) -> tuple[Path, str, str]:
    """A repository with `main` checked out and a branch `feature`; where it began, and its tip."""
    repository = plain_repository(folder, {"a.py": "A = 1\n"})
    fork = git(repository, "rev-parse", "HEAD")
    git(repository, "checkout", "--quiet", "-b", "feature")
    _commit(repository, "b.py", "B = 1\n")
    tip = _commit(repository, "b.py", "B = 2\n")
    git(repository, "checkout", "--quiet", "main")
    _commit(repository, "a.py", "A = 2\n")
    return repository, fork, tip


async def test_the_base_is_where_a_branch_left_the_default_branch(tmp_path: Path) -> None:
    repository, fork, tip = _branched(tmp_path / "shop")

    source = (await _fetch(repository, tip, "feature")).source

    assert (source.base, source.base_ref) == (fork, "main")


async def test_of_a_clone_the_default_branch_of_its_origin_counts(tmp_path: Path) -> None:
    repository, fork, tip = _branched(tmp_path / "shop")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(repository), str(clone))
    git(clone, "checkout", "--quiet", "feature")

    source = (await _fetch(clone, tip, "feature")).source

    assert (source.base, source.base_ref) == (fork, "origin/main")


async def test_the_branch_that_a_pull_request_goes_to_counts_before_all_others(
    tmp_path: Path,
) -> None:
    repository, fork, tip = _branched(tmp_path / "shop")
    git(repository, "branch", "next", f"{tip}~1")

    source = (await _fetch(repository, tip, "feature", "next")).source
    assert (source.base, source.base_ref) == (git(repository, "rev-parse", "next"), "next")

    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(repository), str(clone))
    source = (await _fetch(clone, tip, "feature", "next")).source
    assert source.base_ref == "origin/next"
    assert fork != source.base


async def test_no_base_is_known_of_what_is_on_the_branch_or_apart_from_it(tmp_path: Path) -> None:
    repository, fork, tip = _branched(tmp_path / "shop")
    git(repository, "checkout", "--quiet", "--orphan", "apart")
    apart = _commit(repository, "c.py", "C = 1\n")
    git(repository, "checkout", "--quiet", "main")

    for commit, base in ((fork, ""), (apart, ""), (tip, "no-such-branch")):
        source = (await _fetch(repository, commit, base=base)).source
        assert (source.base, source.base_ref) == ("", "")

    git(repository, "checkout", "--quiet", "--detach", tip)
    assert (await _fetch(repository, tip)).source.base == ""
