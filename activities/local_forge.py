"""The forge without credentials: heal branches in a repository on disk, pull requests as records.

The repository's working tree, index and checked-out branch are never touched: commits are made
with git's plumbing and an index of their own.
"""

import json
import os
import tempfile
from pathlib import Path

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.artifact_store import get_bytes
from activities.file_lock import file_lock
from activities.git import git
from activities.pull_request_text import heal_commit_message, pull_request_body, pull_request_title
from activities.workspace import private_folder
from regreen.contracts.pull_request import (
    Comment,
    PullRequestContent,
    PullRequestDecision,
    PullRequestRecord,
)
from regreen.contracts.run import PullRequest
from regreen.settings import load_settings

_AUTHOR = {"GIT_AUTHOR_NAME": "Regreen", "GIT_AUTHOR_EMAIL": "regreen@localhost"}
_COMMITTER = {"GIT_COMMITTER_NAME": "Regreen", "GIT_COMMITTER_EMAIL": "regreen@localhost"}


@activity.defn
async def publish_pull_request(content: PullRequestContent) -> PullRequest:
    """Put the heals on their branch, a commit each, and open or update the run's pull request.

    Raises ApplicationError `ForgeUnsupported` when the source is not a repository on this disk.
    """
    repository = Path(content.source.location)
    if not repository.is_dir():
        raise ApplicationError(
            f"{content.source.location} is not a repository on this machine, and no forge "
            "credentials are configured",
            type="ForgeUnsupported",
            non_retryable=True,
        )
    activity.heartbeat(f"git: {content.branch}")
    head, patches = await _commit_heals(repository, content)
    await git(["update-ref", f"refs/heads/{content.branch}", head], cwd=repository)
    tree = (await git(["rev-parse", f"{head}^{{tree}}"], cwd=repository)).decode().strip()
    async with file_lock(_folder(content.source.repository) / "lock", "pull requests"):
        known = _find(content.source.repository, content.run)
        record = PullRequestRecord(
            number=known.number if known else _next_number(content.source.repository),
            run=content.run,
            repository=content.source.repository,
            title=pull_request_title(content),
            branch=content.branch,
            base=content.source.commit,
            head=head,
            tree=tree,
            body=pull_request_body(content, patches),
            comments=known.comments if known else {},
        )
        _write(record)
    return PullRequest(
        branch=content.branch,
        url=_page(record).as_uri(),
        number=record.number,
        head=head,
        tree=tree,
    )


@activity.defn
async def comment_on_pull_request(comment: Comment) -> None:
    """Add a comment; the same key twice adds one."""
    await _change(
        comment.repository, comment.pull_request.number, {"comments": {comment.key: comment.text}}
    )


@activity.defn
async def decide_pull_request(decision: PullRequestDecision) -> None:
    """Record an approval or rejection on the pull request."""
    await _change(
        decision.repository,
        decision.pull_request.number,
        {"state": decision.state, "comments": {decision.key: decision.text}},
    )


def read_pull_request(repository: str, number: int) -> PullRequestRecord:
    """The record of a local pull request; raises FileNotFoundError when there is none."""
    path = _folder(repository) / f"{number}.json"
    return PullRequestRecord.model_validate_json(path.read_text("utf-8"))


async def _commit_heals(repository: Path, content: PullRequestContent) -> tuple[str, list[str]]:
    head = content.source.commit
    patches = []
    # The base's own date, so that the same patches on the same base are the same commits.
    shown = await git(["show", "--no-patch", "--format=%cI", head], cwd=repository)
    date = shown.decode().strip()
    dates = {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
    with private_folder() as folder:
        index = {"GIT_INDEX_FILE": str(folder / "index")}
        await git(["read-tree", head], cwd=repository, env=index)
        for heal in content.heals:
            patch = await get_bytes(heal.patch)
            patches.append(patch.decode("utf-8", "replace"))
            apply = ["apply", "--cached", "--whitespace=nowarn", "-"]
            await git(apply, cwd=repository, env=index, data=patch)
            tree = (await git(["write-tree"], cwd=repository, env=index)).decode().strip()
            made = await git(
                ["commit-tree", tree, "-p", head, "-F", "-"],
                cwd=repository,
                env=_AUTHOR | _COMMITTER | dates,
                data=heal_commit_message(content, heal).encode(),
            )
            head = made.decode().strip()
    return head, patches


async def _change(repository: str, number: int, change: dict[str, object]) -> None:
    async with file_lock(_folder(repository) / "lock", "pull requests"):
        record = read_pull_request(repository, number)
        comments = record.comments | change.pop("comments", {})  # type: ignore[operator]
        _write(record.model_copy(update={**change, "comments": comments}))


def _folder(repository: str) -> Path:
    return load_settings().state.resolve() / "pull-requests" / repository


def _page(record: PullRequestRecord) -> Path:
    return _folder(record.repository) / f"{record.number}.md"


def _find(repository: str, run: str) -> PullRequestRecord | None:
    for path in sorted(_folder(repository).glob("*.json")):
        record = PullRequestRecord.model_validate_json(path.read_text("utf-8"))
        if record.run == run:
            return record
    return None


def _next_number(repository: str) -> int:
    return 1 + max((int(p.stem) for p in _folder(repository).glob("*.json")), default=0)


def _write(record: PullRequestRecord) -> None:
    comments = "".join(f"\n---\n\n{text}\n" for text in record.comments.values())
    page = f"# {record.title} (#{record.number}, {record.state})\n\n{record.body}{comments}"
    _replace(_page(record), page)
    text = json.dumps(record.model_dump(mode="json"), indent=2, ensure_ascii=False)
    _replace(_page(record).with_suffix(".json"), text)


def _replace(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    Path(name).replace(path)
