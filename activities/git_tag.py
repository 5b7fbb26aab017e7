"""Annotated tags in a repository on the publisher's disk, and taking back one's own."""

from datetime import datetime
from pathlib import Path

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.git import git
from regreen.contracts.release import TagReceipt, TagRequest

_TAGGER = "Regreen <regreen@localhost>"


@activity.defn
async def create_tag(request: TagRequest) -> TagReceipt:
    """Make the tag, or adopt one of that name at the same commit.

    Raises non-retryable ApplicationErrors: `TagConflict` when the name is taken by another
    commit, `TagRefused` when repository, commit or name cannot be tagged.
    """
    repository = _repository(request)
    if (found := await _existing(repository, request)) is not None:
        return found
    await _check(repository, request)
    made = await _object(repository, request, write=True)
    nothing = "0" * len(request.commit)
    try:
        await git(["update-ref", f"refs/tags/{request.name}", made, nothing], cwd=repository)
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
    repository = _repository(request)
    made = await _object(repository, request, write=False)
    if await _target(repository, request.name) != made:
        return False
    try:
        await git(["update-ref", "-d", f"refs/tags/{request.name}", made], cwd=repository)
    except ApplicationError:
        if await _target(repository, request.name) == made:
            raise
    return True


def _repository(request: TagRequest) -> Path:
    path = Path(request.location)
    if not path.is_absolute() or not path.is_dir():
        raise ApplicationError(
            f"{request.location} is not a repository on this machine's disk to tag",
            type="TagRefused",
            non_retryable=True,
        )
    return path


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
