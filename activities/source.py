"""The source step: fetch a commit with the forge's credentials and pack it as an artifact."""

import hashlib
from pathlib import Path

from pydantic import Field
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.announcement_places import announcement_places
from activities.artifact_store import put_file
from activities.base_commit import find_base
from activities.forge import github_of
from activities.git import git, object_format
from activities.git_credentials import git_credentials
from activities.heartbeat import heartbeating
from activities.workspace import private_folder
from regreen.contracts.base import Contract
from regreen.contracts.run import SourceFetched
from regreen.contracts.source import Source
from regreen.errors import UsageError
from regreen.pipeline_file import Pipeline
from regreen.pipeline_reading import FILE_NAME, parse_pipeline
from regreen.settings import load_settings


class SourceRequest(Contract):
    """The commit to fetch."""

    repository: str
    location: str
    """A path or a clone URL."""
    ref: str
    commit: str = Field(pattern="^[0-9a-f]{40}([0-9a-f]{24})?$")
    base: str = ""
    """The branch that its pull request goes to; empty where none is known."""


@activity.defn
async def fetch_source(request: SourceRequest) -> SourceFetched:
    """Pack the commit, its history and the tags that lead to it as a git bundle.

    Raises ApplicationError `SourceMissing` or `PipelineFileInvalid`, neither retryable.
    """
    credentials = await git_credentials(request.location, load_settings())
    name = await github_of(request.location, request.commit)
    with private_folder() as folder:
        bare = folder / "fetched.git"
        await git(["init", "--quiet", "--bare", object_format(request.commit), str(bare)])
        # By reference and not by commit, since most servers refuse unadvertised commits. A detached
        # HEAD is no reference below refs/, so the commit itself is asked for when it is not there.
        location = ["--end-of-options", request.location]
        # GitHub keeps a reference for each pull request there has ever been.
        far = name is not None and not Path(request.location).is_dir()
        wanted = "+refs/heads/*:refs/fetched/heads/*" if far else "+refs/*:refs/fetched/*"
        fetch = ["fetch", "--quiet", "--tags", *location, wanted]
        await heartbeating(git(fetch, cwd=bare, env=credentials), f"git fetch {request.ref}")
        try:
            if not await _has(bare, request.commit):
                alone = ["fetch", "--quiet", *location, request.commit]
                await heartbeating(git(alone, cwd=bare, env=credentials), "git fetch of the commit")
            tree = await git(["rev-parse", "--verify", f"{request.commit}^{{tree}}"], cwd=bare)
        except ApplicationError as error:
            raise ApplicationError(
                f"commit {request.commit[:12]} is not in {request.repository}",
                type="SourceMissing",
                non_retryable=True,
            ) from error
        try:
            file = await _pipeline_file(bare, request.commit)
            pipeline = _parsed(file)
        except UsageError as error:
            raise ApplicationError(
                str(error), type="PipelineFileInvalid", non_retryable=True
            ) from error
        await git(["update-ref", "refs/heads/source", request.commit], cwd=bare)
        merged = await git(["tag", "--merged", request.commit], cwd=bare)
        tags = [f"refs/tags/{tag}" for tag in merged.decode().split()]
        packed = folder / "source.bundle"
        pack = ["-c", "pack.threads=1", "bundle", "create", "--quiet", str(packed)]
        await heartbeating(git([*pack, "refs/heads/source", *tags], cwd=bare), "git bundle")
        looked = find_base(bare, request.location, request.commit, request.base, credentials)
        base = await heartbeating(looked, f"base of {request.commit[:12]}")
        stored = put_file(packed, "application/x-git-bundle")
        source = Source(
            repository=request.repository,
            location=request.location,
            ref=request.ref,
            commit=request.commit,
            tree=tree.decode().strip(),
            bundle=await heartbeating(stored, "keep the bundle"),
            base=base.commit,
            base_ref=base.ref,
        )
    return SourceFetched(
        source=source,
        pipeline=pipeline,
        pipeline_sha256="" if file is None else hashlib.sha256(file).hexdigest(),
        forge="github" if name else "local",
        announces=bool(announcement_places(load_settings())),
    )


async def _has(repository: Path, commit: str) -> bool:
    try:
        await git(["cat-file", "-e", commit], cwd=repository)
    except ApplicationError:
        return False
    return True


async def read_pipeline(repository: Path, commit: str) -> Pipeline:
    """The pipeline file of a commit in a repository on disk, or the defaults.

    Raises UsageError as `parse_pipeline` does.
    """
    return _parsed(await _pipeline_file(repository, commit))


async def _pipeline_file(repository: Path, commit: str) -> bytes | None:
    listed = await git(["ls-tree", commit, "--", FILE_NAME], cwd=repository)
    if not listed.strip():
        return None
    if not listed.startswith(b"100"):
        raise UsageError(f"{FILE_NAME} is not a regular file in commit {commit[:12]}")
    return await git(["cat-file", "blob", f"{commit}:{FILE_NAME}"], cwd=repository)


def _parsed(file: bytes | None) -> Pipeline:
    return Pipeline() if file is None else parse_pipeline(file.decode("utf-8", "replace"))
