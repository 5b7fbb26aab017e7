"""Annotated tags in a repository on disk or on GitHub, and taking back one's own."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.forge import github_repository
from activities.git import git, object_format
from activities.git_credentials import git_credentials
from activities.github_client import has_github_credentials
from activities.heartbeat import heartbeating
from activities.under_way import to_its_end
from activities.workspace import private_folder
from regreen.contracts.release import TagReceipt, TagRequest
from regreen.settings import load_settings

_TAGGER = "Regreen <regreen@localhost>"


@dataclass(frozen=True)
class _Tags:
    """A repository whose tags are written."""

    repository: Path
    """It, or for one on GitHub a repository on disk with the commit and the tag of that name."""
    point: Callable[[str, str], Awaitable[bytes]]
    """Let the tag point to an object, in place of the one that it must point to now. In either
    place, an empty word is no tag."""


@activity.defn
async def create_tag(request: TagRequest) -> TagReceipt:
    """Make the tag, or adopt one of that name at the same commit.

    Raises non-retryable ApplicationErrors: `TagConflict` when the name is taken by another
    commit, `TagRefused` when repository, commit or name cannot be tagged.
    """
    async with _opened(request) as tags:
        repository = tags.repository
        if (found := await _existing(repository, request)) is not None:
            return found
        await _check(repository, request)
        made = await _object(repository, request, write=True)
        try:
            await tags.point(made, "")
        except ApplicationError:
            # Somebody may have made the tag since it was looked up.
            if (found := await _existing(repository, request)) is not None:
                return found
            raise
    return TagReceipt(name=request.name, commit=request.commit, object=made, adopted=False)


@activity.defn
async def delete_tag(request: TagRequest) -> bool:
    """Delete the tag that `create_tag` made for the same request; True when there was one.

    A tag of that name that is another object is somebody else's and stays.
    """
    async with _opened(request) as tags:
        made = await _object(tags.repository, request, write=False)
        if await _target(tags.repository, request.name) != made:
            return False
        try:
            await tags.point("", made)
        except ApplicationError:
            if await _target(tags.repository, request.name) == made:
                raise
    return True


@contextlib.asynccontextmanager
async def _opened(request: TagRequest) -> AsyncIterator[_Tags]:
    path, reference = Path(request.location), f"refs/tags/{request.name}"
    if path.is_absolute() and path.is_dir():
        nothing = "0" * len(request.commit)

        def update(new: str, old: str) -> Awaitable[bytes]:
            return git(["update-ref", reference, new or nothing, old or nothing], cwd=path)

        yield _Tags(path, update)
        return
    settings = load_settings()
    name = github_repository(request.location, settings)
    if name is None or not has_github_credentials(settings):
        raise ApplicationError(
            f"{request.location} is neither a repository on this machine's disk nor on GitHub "
            "with credentials to tag it",
            type="TagRefused",
            non_retryable=True,
        )
    address = f"{settings.github_server_url.rstrip('/')}/{name}.git"
    credentials = await git_credentials(address, settings)
    with private_folder() as folder:
        bare = folder / "tagged.git"
        await git(["init", "--quiet", "--bare", object_format(request.commit), str(bare)])
        fetching = _fetch(bare, address, request, credentials)
        await heartbeating(fetching, f"git fetch of tag {request.name}")

        def push(new: str, old: str) -> Awaitable[bytes]:
            lease = f"--force-with-lease={reference}:{old}"
            words = ["push", "--quiet", lease, address, f"{new}:{reference}"]
            pushing = to_its_end(git(words, cwd=bare, env=credentials))
            return heartbeating(pushing, f"git push of tag {request.name}")

        yield _Tags(bare, push)


async def _fetch(
    bare: Path, address: str, request: TagRequest, credentials: dict[str, str]
) -> None:
    """Fetch the commit and the tag, as far as they are there, and nothing before them."""
    reference = f"refs/tags/{request.name}"
    listed = await git(["ls-remote", address, reference], cwd=bare, env=credentials)
    there = any(line.endswith(f"\t{reference}") for line in listed.decode().splitlines())
    fetch = ["fetch", "--quiet", "--depth=1", "--no-tags", address]
    if there:
        await git([*fetch, f"+{reference}:{reference}"], cwd=bare, env=credentials)
    try:
        await git([*fetch, request.commit], cwd=bare, env=credentials)
    except ApplicationError as error:
        # What is not there is found out, and said, when it is to be tagged.
        if "not our ref" not in error.message:
            raise


async def _existing(repository: Path, request: TagRequest) -> TagReceipt | None:
    found = await _target(repository, request.name)
    if found is None:
        return None
    peeled = await git(["rev-parse", "--verify", "--quiet", f"{found}^{{}}"], cwd=repository)
    commit = peeled.decode().strip()
    if commit != request.commit:
        raise ApplicationError(
            f"tag {request.name} is at {commit[:12]}, the release is of {request.commit[:12]}",
            type="TagConflict",
            non_retryable=True,
        )
    own = await _object(repository, request, write=False)
    return TagReceipt(name=request.name, commit=commit, object=found, adopted=found != own)


async def _target(repository: Path, name: str) -> str | None:
    listed = await git(
        ["for-each-ref", "--format=%(objectname) %(refname)", "refs/tags/"], cwd=repository
    )
    for line in listed.decode().splitlines():
        target, _, reference = line.partition(" ")
        if reference == f"refs/tags/{name}":
            return target
    return None


async def _check(repository: Path, request: TagRequest) -> None:
    for arguments, problem in (
        (["check-ref-format", f"refs/tags/{request.name}"], "is not a tag name"),
        (
            ["cat-file", "-e", f"{request.commit}^{{commit}}"],
            f"cannot name {request.commit[:12]}, which is not in the repository",
        ),
    ):
        try:
            await git(arguments, cwd=repository)
        except ApplicationError as error:
            raise ApplicationError(
                f"{request.name} {problem}", type="TagRefused", non_retryable=True
            ) from error


async def _object(repository: Path, request: TagRequest, *, write: bool) -> str:
    when = int(datetime.fromisoformat(request.tagged_at).timestamp())
    content = (
        f"object {request.commit}\ntype commit\ntag {request.name}\n"
        f"tagger {_TAGGER} {when} +0000\n\n{request.message.strip()}\n"
    )
    arguments = ["hash-object", "-t", "tag", *(["-w"] if write else []), "--stdin"]
    return (await git(arguments, cwd=repository, data=content.encode())).decode().strip()
