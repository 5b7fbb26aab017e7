"""What the reconciler learns from GitHub: reviews, merges, pushes, as webhooks name them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.missed_deliveries import missed_deliveries
from regreen.contracts.forge_event import ForgeEvent
from regreen.contracts.reconciliation import MissedQuestion
from tests.doubles.github.state import Delivery, Pull, PullReview
from tests.e2e.plain_repository import git
from tests.integration.forge_places import BRANCH, ForgePlace, forge_of_kind, publish

pytestmark = pytest.mark.usefixtures("own_state")

NOW = datetime.now(UTC).replace(microsecond=0)
SINCE = NOW - timedelta(minutes=10)


def _at(minutes: int) -> str:
    return (NOW - timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture
def forge(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ForgePlace]:
    with forge_of_kind("github", monkeypatch, tmp_path) as place:
        yield place


async def _missed(forge: ForgePlace) -> list[ForgeEvent]:
    question = MissedQuestion(
        repository=forge.name, location=forge.location, since=SINCE.isoformat()
    )
    answer = await ActivityEnvironment().run(missed_deliveries, question)
    return list(answer.events)


async def test_reviews_that_decide_are_told(forge: ForgePlace) -> None:
    made = await publish(await forge.content())
    state = forge.github.state
    state.pulls[50] = Pull(50, "somebody's", "", "topic", "main", draft=False)
    state.reviews = [
        PullReview(1, made.number, "ada", "APPROVED", made.head, "good", _at(5)),
        PullReview(2, made.number, "bob", "CHANGES_REQUESTED", made.head, "no", _at(6)),
        PullReview(3, made.number, "eve", "COMMENTED", made.head, "hm", _at(5)),
        PullReview(4, made.number, "eve", "DISMISSED", made.head, "", _at(5)),
        PullReview(5, made.number, "ada", "APPROVED", made.head, "old", _at(11)),
        PullReview(6, 50, "ada", "APPROVED", made.head, "another's", _at(5)),
    ]

    rejected, approved = await _missed(forge)

    assert approved == ForgeEvent(
        provider="github",
        repository="example/shop",
        identity="review/1",
        delivery_id="asked/review/1",
        kind="review",
        actor="ada",
        location=forge.location,
        ref=BRANCH,
        commit=made.head,
        base="main",
        pull_request=made.number,
        decision="approve",
        comment="good",
    )
    assert (rejected.identity, rejected.decision) == ("review/2", "reject")


async def test_merges_of_heals_are_told(forge: ForgePlace) -> None:
    made = await publish(await forge.content())
    state = forge.github.state
    pull = state.pulls[made.number]
    pull.state, pull.merged_by, pull.merge_commit = "closed", "ada", "c" * 40
    pull.updated_at = _at(3)
    old = Pull(60, "", "", "auto-heal/x", "main", draft=False, state="closed", updated_at=_at(30))
    state.pulls[60] = old
    state.pulls[61] = Pull(
        *(61, "", "", "topic", "main"), draft=False, state="closed", updated_at=_at(2)
    )
    state.pulls[61].merged_by = "ada"
    state.reviews = [PullReview(1, made.number, "ada", "APPROVED", made.head, "", _at(4))]

    review, merge = await _missed(forge)

    assert review.identity == "review/1"
    assert (merge.kind, merge.identity) == ("merge", f"merge/{made.number}/{'c' * 40}")
    assert (merge.actor, merge.commit, merge.pull_request) == ("ada", "c" * 40, made.number)


async def test_the_last_push_to_each_branch_is_told(forge: ForgePlace) -> None:
    def activity(kind: str, ref: str, after: str, minutes: int) -> dict[str, object]:
        return {
            "activity_type": kind,
            "ref": ref,
            "before": "0" * 40,
            "after": after * 40,
            "timestamp": _at(minutes),
            "actor": {"login": "ada"},
        }

    forge.github.state.pushes = [
        activity("branch_deletion", "refs/heads/gone", "0", 1),
        activity("pr_merge", "refs/heads/main", "a", 2),
        activity("push", "refs/heads/main", "b", 3),
        activity("push", "refs/heads/auto-heal/unit/1", "c", 3),
        activity("force_push", "refs/heads/topic", "d", 4),
        activity("push", "refs/heads/gone", "e", 5),
        activity("branch_creation", "refs/heads/old", "f", 11),
    ]

    topic, main = await _missed(forge)

    assert (main.kind, main.identity) == ("push", f"push/{'a' * 40}/refs/heads/main")
    assert (main.ref, main.commit, main.actor) == ("main", "a" * 40, "ada")
    assert topic.identity == f"push/{'d' * 40}/refs/heads/topic"


async def test_nothing_is_asked_of_another_server(
    forge: ForgePlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GITHUB_SERVER_URL")

    assert await _missed(forge) == []
    assert forge.github.asked == []


async def test_a_limit_is_waited_for(forge: ForgePlace) -> None:
    forge.github.fails.append(("repos/list-activities", "before"))

    with pytest.raises(ApplicationError) as raised:
        await _missed(forge)

    assert raised.value.type == "ForgeUnreachable"
    assert git(forge.own, "status", "--porcelain") == ""


def _comment(number: int, text: str, action: str = "created") -> dict[str, object]:
    return {
        "action": action,
        "issue": {"number": 12, "pull_request": {"url": ""}},
        "comment": {"id": number, "body": text},
        "repository": {
            "full_name": "example/shop",
            "clone_url": "https://github.example/example/shop.git",
        },
        "sender": {"login": "ada", "type": "User"},
    }


async def test_deliveries_that_failed_are_told_once_and_no_others(
    forge: ForgePlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGREEN_GITHUB_HOOKS", f"example/other=8 {forge.name}=7")
    forge.github.state.deliveries = [
        Delivery(9, "again", "issue_comment", 202, _comment(4, "/regreen retry"), _at(1)),
        Delivery(8, "lost", "issue_comment", 503, _comment(3, "/regreen cancel"), _at(2)),
        Delivery(7, "lost", "issue_comment", 503, _comment(3, "/regreen cancel"), _at(3)),
        Delivery(6, "again", "issue_comment", 503, _comment(4, "/regreen retry"), _at(4)),
        Delivery(5, "star", "star", 503, {"action": "created"}, _at(5)),
        Delivery(4, "odd", "issue_comment", 503, {"action": "created"}, _at(5)),
        Delivery(3, "old", "issue_comment", 503, _comment(2, "/regreen heal"), _at(11)),
        Delivery(2, "other", "issue_comment", 503, _comment(1, "/regreen heal"), _at(1), hook=8),
    ]

    [event] = await _missed(forge)

    assert (event.kind, event.command, event.pull_request) == ("command", "cancel", 12)
    # As the webhook names it, so that a late redelivery is no second command.
    assert (event.identity, event.delivery_id) == ("comment/3", "lost")


async def test_without_a_hook_no_deliveries_are_asked_for(forge: ForgePlace) -> None:
    forge.github.state.deliveries = [
        Delivery(8, "lost", "issue_comment", 503, _comment(3, "/regreen cancel"), _at(2))
    ]

    assert await _missed(forge) == []
    assert "repos/list-webhook-deliveries" not in forge.github.asked
