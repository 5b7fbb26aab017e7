"""The forge without credentials: heal branches in a repository on disk, pull requests as records.

The repository's working tree, index and checked-out branch are never touched.
"""

import json
import os
import tempfile
from pathlib import Path

from temporalio.exceptions import ApplicationError

from activities.file_lock import file_lock
from activities.heal_branch import BranchesOnDisk, move_heal_branch
from activities.heal_commits import commit_heals
from activities.heartbeat import heartbeating
from activities.pull_request_choice import (
    about_tree,
    known_pull_request,
    run_of,
    signatures_of,
    superseded_comment,
)
from activities.pull_request_text import pull_request_body, pull_request_title
from regreen.contracts.pull_request import (
    Comment,
    PullRequestContent,
    PullRequestDecision,
    PullRequestRecord,
)
from regreen.contracts.run import PullRequest
from regreen.settings import load_settings


async def publish(content: PullRequestContent) -> PullRequest:
    """Put the heals on a branch of the repository and write the pull request's record.

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
    made = await heartbeating(commit_heals(repository, content), f"git: {content.branch}")
    async with file_lock(_folder(content.source.repository) / "lock", "pull requests"):
        known = known_pull_request(_records(content.source.repository), content)
        branches = BranchesOnDisk(repository)
        branch = await move_heal_branch(branches, content.branch, made.head, known)
        content = content.model_copy(update={"branch": branch})
        record = PullRequestRecord(
            number=known.number if known else _next_number(content.source.repository),
            run=content.run,
            run_id=content.run_id,
            repository=content.source.repository,
            ref=content.source.ref,
            signatures=signatures_of(content),
            superseded=known.superseded if known else (),
            title=pull_request_title(content),
            state=known.state if known else "open",
            branch=branch,
            base=content.source.commit,
            head=made.head,
            tree=made.tree,
            body=pull_request_body(content, made.patches),
            comments=known.comments if known else {},
        )
        if known is not None and run_of(known) != run_of(record):
            record = _superseding(known, record)
        _write(record)
    return PullRequest(
        branch=branch,
        url=_page(record).as_uri(),
        number=record.number,
        head=made.head,
        tree=made.tree,
    )


async def comment(asked: Comment) -> None:
    """Add a comment to the record."""
    await _tell(asked.repository, asked.pull_request, asked.key, asked.text)


async def decide(decision: PullRequestDecision) -> None:
    """Write an approval or rejection into the record."""
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


async def _tell(
    repository: str, about: PullRequest, key: str, text: str, *, decided: str | None = None
) -> None:
    async with file_lock(_folder(repository) / "lock", "pull requests"):
        record = read_pull_request(repository, about.number)
        # The head stands for base, patches and run, so that nothing else is decided with it.
        shown = record.head == about.head
        if not shown:
            text = about_tree(text, about.tree, record.tree)
        state = decided if decided is not None and shown else record.state
        comments = record.comments | {f"{about.head[:12]}/{key}": text}
        _write(record.model_copy(update={"state": state, "comments": comments}))


def _folder(repository: str) -> Path:
    return load_settings().state.resolve() / "pull-requests" / repository


def _page(record: PullRequestRecord) -> Path:
    return _folder(record.repository) / f"{record.number}.md"


def _records(repository: str) -> list[PullRequestRecord]:
    paths = sorted(_folder(repository).glob("*.json"), key=lambda path: int(path.stem))
    return [PullRequestRecord.model_validate_json(path.read_text("utf-8")) for path in paths]


def _superseding(old: PullRequestRecord, new: PullRequestRecord) -> PullRequestRecord:
    key, text = superseded_comment(old, new)
    return new.model_copy(
        update={
            "superseded": (*old.superseded, run_of(old)),
            "comments": old.comments | {key: text},
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
        file.flush()
        # A record that is empty after a power cut is one that no later run can read.
        os.fsync(file.fileno())
    Path(name).replace(path)
