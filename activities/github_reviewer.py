"""Whether an account of GitHub may decide about what a run has made of a commit."""

import re
from collections.abc import Sequence

from github import Github, GithubException, UnknownObjectException
from github.Repository import Repository

from activities.code_owners import PLACES, owners_of
from activities.github_client import ask, github_client
from activities.github_failures import limit_delay
from regreen.contracts.reviewer import ReviewerQuestion
from regreen.printable import one_line_of
from regreen.settings import load_settings

_LOGIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,99})(?:\[bot\])?")
_MAY_WRITE = ("admin", "write")


async def github_refusal(name: str, question: ReviewerQuestion, paths: Sequence[str]) -> str:
    """Why the person may not, in one line; empty when the person may.

    `name` is the repository, `paths` are those whose code owners alone may. What cannot be found
    out refuses. Raises the ApplicationErrors of `activities.github_client.ask`.
    """
    client = github_client(load_settings())
    return await ask(f"reviewer of {name}", lambda: _refusal(client, name, question, paths))


def _refusal(client: Github, name: str, question: ReviewerQuestion, paths: Sequence[str]) -> str:
    reviewer = one_line_of(question.reviewer)[:100]
    if not _LOGIN.fullmatch(reviewer):
        return f"`{reviewer}` is no account of GitHub"
    repository = client.get_repo(name)
    if _permission(repository, reviewer) not in _MAY_WRITE:
        return f"{reviewer} may not write to {name}"
    return _wrote(repository, question, reviewer) or _not_owner(client, repository, paths, reviewer)


def _permission(repository: Repository, reviewer: str) -> str:
    try:
        return repository.get_collaborator_permission(reviewer)
    except UnknownObjectException:
        return "none"


def _wrote(repository: Repository, question: ReviewerQuestion, reviewer: str) -> str:
    if not question.author_refused:
        return ""
    commit, short = repository.get_commit(question.commit), question.commit[:12]
    for role, account in (("author", commit.author), ("committer", commit.committer)):
        if account is None:
            return (
                f"the {role} of commit {short} belongs to no account, so nobody can tell whether "
                f"it is {reviewer}"
            )
        if account.login.lower() == reviewer.lower():
            return f"{reviewer} is the {role} of commit {short}, and somebody else must decide"
    return ""


def _not_owner(client: Github, repository: Repository, paths: Sequence[str], reviewer: str) -> str:
    text = _code_owners(repository) if paths else ""
    for path in paths:
        owners = owners_of(text, path)
        unknown = []
        for owner in owners:
            belongs = _is(client, owner, reviewer)
            if belongs:
                break
            if belongs is None:
                unknown.append(owner)
        else:
            if unknown:
                return (
                    f"{path} is owned by {', '.join(unknown)}, and the token cannot see whether "
                    f"that is {reviewer}"
                )
            if owners:
                return (
                    f"{path} is owned by {', '.join(owners)}, and GitHub does not show that "
                    f"{reviewer} is one of them"
                )
    return ""


def _code_owners(repository: Repository) -> str:
    """The file of the default branch, which a change under review cannot have written."""
    for place in PLACES:
        try:
            found = repository.get_contents(place)
        except UnknownObjectException:
            continue
        if not isinstance(found, list):
            return found.decoded_content.decode("utf-8", "replace")
    return ""


def _is(client: Github, owner: str, reviewer: str) -> bool | None:
    """Whether an owner is the person, or a team of theirs; None when that cannot be seen."""
    if not owner.startswith("@"):
        return None
    organization, _, team = owner.removeprefix("@").partition("/")
    if not team:
        return organization.lower() == reviewer.lower()
    try:
        found = client.get_organization(organization).get_team_by_slug(team)
        return found.get_team_membership(reviewer).state == "active"
    except UnknownObjectException:
        return False
    except GithubException as error:
        if error.status != 403 or limit_delay(error) is not None:
            raise
        return None
