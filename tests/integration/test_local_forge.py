"""What the local forge keeps beyond the contract of every forge: its records, and working trees."""

import json
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.local_forge import read_pull_request
from activities.pull_request import comment_on_pull_request, decide_pull_request
from regreen.contracts.pull_request import Comment, PullRequestDecision
from tests.e2e.plain_repository import git, working_state
from tests.integration.forge_places import BRANCH, ForgePlace, forge_of_kind, publish

NAME = "local/shop"


@pytest.fixture
def forge(own_state: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ForgePlace:
    """A repository whose owner is in the middle of his work."""
    with forge_of_kind("local", monkeypatch, tmp_path) as place:
        (place.own / "a.py").write_text("A = 'being edited'\n")
        (place.own / "staged.py").write_text("STAGED = True\n")
        (place.own / "untracked.txt").write_text("mine\n")
        git(place.own, "add", "staged.py")
        return place


async def test_nothing_that_the_owner_works_on_is_touched(forge: ForgePlace) -> None:
    before = working_state(forge.own)

    await publish(await forge.content())

    assert working_state(forge.own) == before
    assert git(forge.own, "rev-parse", "--abbrev-ref", "HEAD") == "main"


async def test_published_again_the_page_is_the_same(forge: ForgePlace, own_state: Path) -> None:
    content = await forge.content()
    first = await publish(content)
    page = Path(first.url.removeprefix("file://")).read_text()

    assert await publish(content) == first
    assert Path(first.url.removeprefix("file://")).read_text() == page
    records = [path.name for path in (own_state / "pull-requests").rglob("*.json")]
    assert records == ["1.json"]


async def test_comments_and_decisions_are_on_the_page_once(forge: ForgePlace) -> None:
    made = await publish(await forge.content())
    comment = Comment(pull_request=made, repository=NAME, key="reminder-1", text="Please look.")
    decision = PullRequestDecision(
        pull_request=made,
        repository=NAME,
        state="approved",
        text="approved by release-manager",
        key="decision",
    )

    for _ in range(2):
        await ActivityEnvironment().run(comment_on_pull_request, comment)
        await ActivityEnvironment().run(decide_pull_request, decision)

    assert read_pull_request(NAME, made.number).state == "approved"
    page = Path(made.url.removeprefix("file://")).read_text()
    assert page.count("Please look.") == 1
    assert "approved)" in page.splitlines()[0]


async def test_a_decision_counts_for_the_tree_that_is_shown(forge: ForgePlace) -> None:
    git(forge.own, "stash", "--quiet")
    made = await publish(await forge.content(signature="s1"))
    updated = await publish(await forge.later("s1"))
    old = PullRequestDecision(
        pull_request=made, repository=NAME, state="approved", text="by Ada", key="decision"
    )

    await ActivityEnvironment().run(decide_pull_request, old)

    record = read_pull_request(NAME, made.number)
    assert (record.state, record.tree) == ("open", updated.tree)
    new = old.model_copy(update={"pull_request": updated, "text": "by Bob"})
    await ActivityEnvironment().run(decide_pull_request, new)
    record = read_pull_request(NAME, made.number)
    assert record.state == "approved"
    assert len(record.comments) == 3


async def test_a_record_is_valid_json(forge: ForgePlace, own_state: Path) -> None:
    made = await publish(await forge.content())

    (path,) = (own_state / "pull-requests").rglob("*.json")

    assert json.loads(path.read_text())["head"] == made.head


def test_a_pull_request_that_is_not_there(own_state: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_pull_request(NAME, 1)


async def test_a_branch_that_somebody_is_on_is_not_moved(forge: ForgePlace) -> None:
    git(forge.own, "stash", "--quiet")
    made = await publish(await forge.content(signature="s1"))
    second = await forge.later("s1")
    git(forge.own, "checkout", "--quiet", BRANCH)
    before = working_state(forge.own)

    updated = await publish(second)

    assert (updated.number, updated.branch) == (made.number, second.branch)
    assert git(forge.own, "rev-parse", BRANCH) == made.head
    assert working_state(forge.own) == before


async def test_no_other_branch_is_written_whatever_the_record_says(
    forge: ForgePlace, own_state: Path
) -> None:
    content = await forge.content(signature="s1")
    await publish(content)
    [path] = (own_state / "pull-requests").rglob("*.json")
    path.write_text(path.read_text().replace(BRANCH, "main"))
    main = forge.tip("main")

    with pytest.raises(ApplicationError) as raised:
        await publish(content)

    assert (raised.value.type, raised.value.non_retryable) == ("BranchRefused", True)
    assert forge.tip("main") == main
