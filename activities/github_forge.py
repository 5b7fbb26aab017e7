"""The forge on GitHub: heal branches that are pushed, draft pull requests that are kept up to date.

What is known of a pull request stands in its body, so that any publisher finds it again.
"""

from itertools import islice
from pathlib import Path

from github import Github, GithubException
from github.PullRequest import PullRequest as GithubPullRequest
from github.Repository import Repository

from activities.artifact_store import get_file
from activities.file_lock import file_lock
from activities.git import git, object_format
from activities.git_credentials import git_credentials
from activities.github_client import ask, github_client
from activities.heal_branch import BranchesOnServer, move_heal_branch
from activities.heal_commits import HealCommits, commit_heals
from activities.heartbeat import heartbeating
from activities.pull_request_choice import (
    about_tree,
    known_pull_request,
    run_of,
    signatures_of,
    superseded_comment,
)
from activities.pull_request_marker import comment_mark, marked, read_record
from activities.pull_request_text import LIMIT, pull_request_body, pull_request_title
from activities.workspace import private_folder
from regreen.contracts.pull_request import (
    Comment,
    PullRequestContent,
    PullRequestDecision,
    PullRequestRecord,
)
from regreen.contracts.run import PullRequest
from regreen.settings import load_settings

_OPEN = 1000
_CLOSED = 100
_REMEMBERED = 30
_MARK = 10_000
"""Characters of a body that are left for the mark."""


async def publish(name: str, content: PullRequestContent) -> PullRequest:
    """Push the heals and open or update the pull request of repository `name`.

    The branch of a pull request on GitHub cannot be exchanged: when somebody works on it, it stays
    as it is, and the heals get a pull request of their own.
    """
    settings = load_settings()
    address = f"{settings.github_server_url.rstrip('/')}/{name}.git"
    client = github_client(settings)
    subject = f"pull request of {name}"
    credentials = await git_credentials(address, settings)
    with private_folder() as folder:
        base = await heartbeating(_base(folder, content), "git fetch of the source")
        made = await heartbeating(commit_heals(base, content), "git commit of the heals")
        lock = settings.state.resolve() / "pull-requests" / name / "lock"
        async with file_lock(lock, "pull requests"):
            known, taken = await ask(subject, lambda: _known(client, name, content, made))
            branches = BranchesOnServer(address, base, credentials)
            moving = move_heal_branch(branches, content.branch, made.head, known, taken)
            branch = await heartbeating(moving, f"git push {content.branch}")
            record = _record(name, content.model_copy(update={"branch": branch}), made, known)
            return await ask(subject, lambda: _shown(client.get_repo(name), known, record))


async def comment(name: str, asked: Comment) -> None:
    """Add a comment to a pull request of repository `name`."""
    about, client = asked.pull_request, github_client(load_settings())
    await ask(
        f"comment on {name}#{about.number}",
        lambda: _tell(client, name, about, asked.key, asked.text),
    )


async def decide(name: str, decision: PullRequestDecision) -> None:
    """Tell a decision on a pull request of repository `name`; one that is rejected is closed."""
    about, client = decision.pull_request, github_client(load_settings())
    await ask(
        f"decision on {name}#{about.number}",
        lambda: _tell(client, name, about, decision.key, decision.text, decided=decision.state),
    )


async def _base(folder: Path, content: PullRequestContent) -> Path:
    """A repository with the source's commits."""
    bare, bundle = folder / "heals.git", folder / "source.bundle"
    await get_file(content.source.bundle, bundle)
    await git(["init", "--quiet", "--bare", object_format(content.source.commit), str(bare)])
    await git(["fetch", "--quiet", str(bundle), "refs/*:refs/*"], cwd=bare)
    return bare


def _known(
    client: Github, name: str, content: PullRequestContent, made: HealCommits
) -> tuple[PullRequestRecord | None, set[str]]:
    """The pull request that shows the heals, and the branches of the others that Regreen opened.

    A branch has one open pull request on GitHub.
    """
    repository = client.get_repo(name)
    pulls = list(islice(repository.get_pulls(state="open"), _OPEN))
    closed = repository.get_pulls(state="closed", sort="updated", direction="desc")
    pulls += islice(closed, _CLOSED)
    over, records = set(), []
    for pull in sorted(pulls, key=lambda pull: pull.number):
        record = read_record(name, pull)
        if record is None or record.state == "superseded":
            continue
        if pull.state == "closed":
            over.add(pull.number)
            record = record.model_copy(update={"state": record.state.replace("open", "closed")})
        records.append(record)
    known = known_pull_request(records, content)
    # What is closed or merged shows nothing new any more.
    if known is not None and known.number in over and known.head != made.head:
        known = None
    own = run_of(content)
    return known, {each.branch for each in records if run_of(each) != own}


def _record(
    name: str, content: PullRequestContent, made: HealCommits, known: PullRequestRecord | None
) -> PullRequestRecord:
    superseded = known.superseded if known else ()
    if known is not None and run_of(known) != run_of(content):
        superseded = (*superseded, run_of(known))[-_REMEMBERED:]
    return PullRequestRecord(
        number=known.number if known is not None and known.branch == content.branch else 0,
        run=content.run,
        run_id=content.run_id,
        repository=name,
        ref=content.source.ref,
        signatures=signatures_of(content),
        superseded=superseded,
        title=pull_request_title(content),
        # GitHub itself says what is closed, and opens it again when a person wants.
        state=known.state if known is not None and known.state != "closed" else "open",
        branch=content.branch,
        base=content.source.commit,
        head=made.head,
        tree=made.tree,
        body=pull_request_body(content, made.patches, limit=LIMIT - _MARK),
    )


def _shown(
    repository: Repository, known: PullRequestRecord | None, record: PullRequestRecord
) -> PullRequest:
    """Let the pull request show the record; each step is one that a repeated call skips."""
    old = repository.get_pull(known.number) if known else None
    # Told before it is written, since only until then it is known what is superseded.
    if old is not None and known is not None and run_of(known) != run_of(record):
        _comment_once(old, *superseded_comment(known, record))
    if old is not None and known is not None and known.branch != record.branch:
        _write(old, known.model_copy(update={"state": "superseded"}))
        old = None
    pull = old or _opened(repository, record)
    _write(pull, record)
    return PullRequest(
        branch=record.branch,
        url=pull.html_url,
        number=pull.number,
        head=record.head,
        tree=record.tree,
    )


def _opened(repository: Repository, record: PullRequestRecord) -> GithubPullRequest:
    try:
        return _created(repository, record, draft=True)
    except GithubException as error:
        if error.status != 422:
            raise
        owner = repository.full_name.partition("/")[0]
        there = repository.get_pulls(state="open", head=f"{owner}:{record.branch}")
        for pull in islice(there, 1):
            return pull
        # Not every plan has drafts for private repositories.
        if "draft" not in str(error.data).lower():
            raise
        return _created(repository, record, draft=False)


def _created(
    repository: Repository, record: PullRequestRecord, *, draft: bool
) -> GithubPullRequest:
    return repository.create_pull(
        record.ref,
        record.branch,
        title=record.title,
        body=marked(record, record.body),
        draft=draft,
    )


def _write(pull: GithubPullRequest, record: PullRequestRecord) -> None:
    body = marked(record, record.body)
    same = (pull.body or "").replace("\r\n", "\n").rstrip() == body.rstrip()
    if pull.title != record.title or not same:
        pull.edit(title=record.title, body=body)


def _tell(
    client: Github,
    name: str,
    about: PullRequest,
    key: str,
    text: str,
    *,
    decided: str | None = None,
) -> None:
    pull = client.get_repo(name).get_pull(about.number)
    record = read_record(name, pull)
    # The head stands for base, patches and run, so that nothing else is decided with it.
    shown = about.head == (record.head if record else pull.head.sha)
    if not shown:
        text = about_tree(text, about.tree, record.tree if record else pull.head.sha)
    _comment_once(pull, f"{about.head[:12]}/{key}", text)
    if decided is None or not shown:
        return
    if record is not None:
        _write(pull, record.model_copy(update={"state": decided}))
    if decided == "rejected" and pull.state == "open":
        pull.edit(state="closed")


def _comment_once(pull: GithubPullRequest, key: str, text: str) -> None:
    mark = comment_mark(key)
    for comment in pull.get_issue_comments():
        # Nobody else's comment stands for Regreen's, which is the one who opened it.
        ours = comment.user is not None and comment.user.login == pull.user.login
        if ours and (comment.body or "").startswith(mark):
            return
    pull.create_issue_comment(f"{mark}\n{text}"[:LIMIT])
