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
from activities.heal_branch import move_heal_branch
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
    """Put the heals on a branch, a commit each, and open or update the pull request of the failure.

    A pull request that is open for the same failure on the same ref is taken over in place, with
    its number and its branch. One that is decided, or that shows a newer run, is left alone.
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
    tree = (await git(["rev-parse", f"{head}^{{tree}}"], cwd=repository)).decode().strip()
    async with file_lock(_folder(content.source.repository) / "lock", "pull requests"):
        known = _find(content)
        branch = await move_heal_branch(repository, content.branch, head, known)
        content = content.model_copy(update={"branch": branch})
        record = PullRequestRecord(
            number=known.number if known else _next_number(content.source.repository),
            run=content.run,
            run_id=content.run_id,
            repository=content.source.repository,
            ref=content.source.ref,
            signatures=_signatures(content),
            superseded=known.superseded if known else (),
            title=pull_request_title(content),
            state=known.state if known else "open",
            branch=branch,
            base=content.source.commit,
            head=head,
            tree=tree,
            body=pull_request_body(content, patches),
            comments=known.comments if known else {},
        )
        if known is not None and _shows(known) != _shows(record):
            record = _superseding(known, record)
        _write(record)
    return PullRequest(
        branch=branch,
        url=_page(record).as_uri(),
        number=record.number,
        head=head,
        tree=tree,
    )


@activity.defn
async def comment_on_pull_request(comment: Comment) -> None:
    """Add a comment; the same key of the same run's heals twice adds one."""
    await _tell(comment.repository, comment.pull_request, comment.key, comment.text)


@activity.defn
async def decide_pull_request(decision: PullRequestDecision) -> None:
    """Record an approval or rejection on the pull request.

    A decision about heals that another run's have superseded is told there and decides nothing.
    """
    await _tell(
        decision.repository,
        decision.pull_request,
        decision.key,
        decision.text,
        decided=decision.state,
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


async def _tell(
    repository: str, about: PullRequest, key: str, text: str, *, decided: str | None = None
) -> None:
    async with file_lock(_folder(repository) / "lock", "pull requests"):
        record = read_pull_request(repository, about.number)
        # The head stands for base, patches and run, so that nothing else is decided with it.
        shown = record.head == about.head
        if not shown:
            text += (
                f"\n\nThis is about tree {about.tree[:12]}, which another run has superseded. It "
                f"says nothing about tree {record.tree[:12]}, which is shown here now."
            )
        state = decided if decided is not None and shown else record.state
        comments = record.comments | {f"{about.head[:12]}/{key}": text}
        _write(record.model_copy(update={"state": state, "comments": comments}))


def _folder(repository: str) -> Path:
    return load_settings().state.resolve() / "pull-requests" / repository


def _page(record: PullRequestRecord) -> Path:
    return _folder(record.repository) / f"{record.number}.md"


def _find(content: PullRequestContent) -> PullRequestRecord | None:
    """The run's own record, or else an open one of the same failure that no newer run has."""
    folder = _folder(content.source.repository)
    records = [
        PullRequestRecord.model_validate_json(path.read_text("utf-8"))
        for path in sorted(folder.glob("*.json"), key=lambda path: int(path.stem))
    ]
    asking = f"{content.run} {content.run_id}"
    for record in records:
        if _shows(record) == asking:
            return record
    wanted = set(_signatures(content))
    for record in records:
        same = record.ref == content.source.ref and wanted.intersection(record.signatures)
        if same and record.state == "open" and asking not in record.superseded:
            return record
    return None


def _signatures(content: PullRequestContent) -> tuple[str, ...]:
    return tuple(heal.signature for heal in content.heals if heal.signature)


def _shows(record: PullRequestRecord) -> str:
    return f"{record.run} {record.run_id}"


def _superseding(old: PullRequestRecord, new: PullRequestRecord) -> PullRequestRecord:
    moved = (
        ""
        if old.branch == new.branch
        else f" Branch {old.branch} is somebody's work now and stays as it is."
    )
    text = (
        f"Run `{new.run}` ({new.run_id}) heals the same failure at commit {new.base[:12]} and "
        f"supersedes run `{old.run}` ({old.run_id}). Everything above is the new run's, tree "
        f"{new.tree[:12]}. What is decided of the old run counts for its own tree "
        f"{old.tree[:12]} only.{moved}"
    )
    return new.model_copy(
        update={
            "superseded": (*old.superseded, _shows(old)),
            "comments": old.comments | {f"superseded/{old.run_id}": text},
        }
    )


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
