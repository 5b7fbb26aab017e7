"""What happened on GitHub that no webhook may have told: reviews, merges and pushes."""

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Literal

from github import Github
from github.PullRequest import PullRequest
from github.Repository import Repository
from requests.utils import parse_header_links
from temporalio import activity

from activities.forge import github_repository
from activities.github_client import ask, github_client, has_github_credentials
from activities.heal_branch import HEAL_BRANCHES
from regreen.contracts.forge_event import ForgeEvent
from regreen.contracts.reconciliation import MissedEvents, MissedQuestion
from regreen.settings import load_settings
from regreen.webhooks.github import github_event
from regreen.webhooks.reading import MalformedEvent

_MOST_PULLS = 1000
_MOST_PAGES = 10
_MOST_DELIVERIES = 500
_COMMENT = 2000
_PUSHES = ("push", "force_push", "branch_creation", "pr_merge", "merge_queue_merge")
# A comment decides nothing, and one with a command comes by its webhook or that one's deliveries.
_DECISIONS: dict[str, Literal["approve", "reject"]] = {
    "APPROVED": "approve",
    "CHANGES_REQUESTED": "reject",
}
_PERIODS = (("day", 1), ("week", 7), ("month", 28), ("quarter", 90), ("year", 365))

Dated = tuple[datetime, ForgeEvent]


@activity.defn
async def missed_deliveries(question: MissedQuestion) -> MissedEvents:
    """Events since a moment, oldest first, with the identities that webhooks give them.

    Of pushes only the last one to each branch, since nothing else of it is there any more. Empty
    for a repository that is not on GitHub. Raises the ApplicationErrors of
    `activities.github_client.ask`, and ValueError for a moment that is none.
    """
    settings = load_settings()
    since = datetime.fromisoformat(question.since)
    name = github_repository(question.location, settings)
    if name is None or not has_github_credentials(settings):
        return MissedEvents()
    client = github_client(settings)
    found = await ask(f"events of {name}", lambda: _events(client, name, question, since))
    return MissedEvents(events=tuple(event for _, event in sorted(found, key=lambda e: e[0])))


def _events(client: Github, name: str, question: MissedQuestion, since: datetime) -> list[Dated]:
    repository = client.get_repo(name)
    told = {
        "provider": "github",
        "repository": question.repository,
        "location": question.location,
    }
    heals = [
        pull
        for pull in islice(repository.get_pulls(state="open"), _MOST_PULLS)
        if _is_heal(pull, name)
    ]
    merged = [
        pull for pull in _closed(repository, since) if pull.merged_at and _is_heal(pull, name)
    ]
    found = [each for pull in (*heals, *merged) for each in _reviews(pull, told, since)]
    found += [_merge(repository.get_pull(pull.number), told) for pull in merged]
    found += _pushes(repository, told, since)
    found += _failed_deliveries(repository, question.repository, since)
    return [each for each in found if each[0] >= since]


def _failed_deliveries(repository: Repository, asked: str, since: datetime) -> Iterator[Dated]:
    """What the repository's hook could not hand over, comments with commands among it."""
    hook = _hook_of(asked)
    if hook is None:
        return
    taken: set[str | None] = set()
    for each in islice(repository.get_hook_deliveries(hook), _MOST_DELIVERIES):
        if each.delivered_at is None or each.delivered_at < since:
            return
        # Newest first: what was redelivered with success is taken.
        if each.status_code is not None and 200 <= each.status_code < 300:
            taken.add(each.guid)
        if each.guid in taken or each.id is None:
            continue
        taken.add(each.guid)
        whole = repository.get_hook_delivery(hook, each.id)
        payload = whole.request.payload if whole.request else None
        if not isinstance(payload, dict):
            continue
        with contextlib.suppress(MalformedEvent):
            event = github_event(each.event or "", each.guid or "", payload)
            if event is not None:
                yield each.delivered_at, event


def _hook_of(repository: str) -> int | None:
    for pair in load_settings().github_hooks.split():
        name, _, number = pair.partition("=")
        if name.lower() == repository.lower() and number.isdecimal():
            return int(number)
    return None


def _closed(repository: Repository, since: datetime) -> Iterator[PullRequest]:
    closed = repository.get_pulls(state="closed", sort="updated", direction="desc")
    for pull in islice(closed, _MOST_PULLS):
        if pull.updated_at is None or pull.updated_at < since:
            return
        yield pull


def _is_heal(pull: PullRequest, name: str) -> bool:
    inside = pull.head.repo is not None and pull.head.repo.full_name.lower() == name.lower()
    return inside and pull.head.ref.startswith(HEAL_BRANCHES)


def _reviews(pull: PullRequest, told: dict[str, Any], since: datetime) -> Iterator[Dated]:
    for review in pull.get_reviews():
        decision = _DECISIONS.get(review.state)
        by_person = review.user is not None and review.user.type != "Bot"
        if decision is None or not by_person or review.submitted_at < since:
            continue
        yield (
            review.submitted_at,
            _event(
                told,
                kind="review",
                identity=f"review/{review.id}",
                actor=review.user.login,
                ref=pull.head.ref,
                base=pull.base.ref,
                commit=review.commit_id or "",
                pull_request=pull.number,
                decision=decision,
                comment=(review.body or "")[:_COMMENT],
            ),
        )


def _merge(pull: PullRequest, told: dict[str, Any]) -> Dated:
    assert pull.merged_at is not None
    return pull.merged_at, _event(
        told,
        kind="merge",
        identity=f"merge/{pull.number}/{pull.merge_commit_sha}",
        actor=pull.merged_by.login if pull.merged_by else "",
        ref=pull.head.ref,
        base=pull.base.ref,
        commit=pull.merge_commit_sha,
        pull_request=pull.number,
    )


def _pushes(repository: Repository, told: dict[str, Any], since: datetime) -> Iterator[Dated]:
    seen = set()
    for each in _activities(repository, since):
        ref = each["ref"]
        if ref in seen or not ref.startswith("refs/heads/"):
            continue
        # A branch that was deleted last has no push to tell.
        seen.add(ref)
        branch = ref.removeprefix("refs/heads/")
        if each["activity_type"] not in _PUSHES or branch.startswith(HEAL_BRANCHES):
            continue
        yield (
            _moment(each),
            _event(
                told,
                kind="push",
                identity=f"push/{each['after']}/{ref}",
                actor=(each["actor"] or {}).get("login", ""),
                ref=branch,
                commit=each["after"],
            ),
        )


def _activities(repository: Repository, since: datetime) -> Iterator[dict[str, Any]]:
    """The repository's activity, newest first; PyGithub has no function for it."""
    age = datetime.now(UTC) - since
    period = next((p for p, days in _PERIODS if age < timedelta(days=days)), "year")
    url: str | None = f"{repository.url}/activity?time_period={period}&per_page=100"
    for _ in range(_MOST_PAGES):
        if url is None:
            return
        headers, page = repository.requester.requestJsonAndCheck("GET", url)
        for each in page:
            if _moment(each) < since:
                return
            yield each
        links = parse_header_links(str(headers.get("link", "")))
        url = next((link["url"] for link in links if link.get("rel") == "next"), None)


def _moment(each: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(each["timestamp"])


def _event(told: dict[str, Any], **fields: Any) -> ForgeEvent:
    return ForgeEvent(**told, delivery_id=f"asked/{fields['identity']}", **fields)
