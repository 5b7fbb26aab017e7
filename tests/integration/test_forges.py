"""The contract that every forge keeps: one pull request for a failure, made once, never lost."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.pull_request import comment_on_pull_request, decide_pull_request
from activities.workspace import checked_out
from regreen.contracts.pull_request import Comment, PullRequestContent, PullRequestDecision
from regreen.contracts.run import PullRequest
from regreen.contracts.source import Workspace
from tests.e2e.plain_repository import git
from tests.integration.forge_places import BRANCH, ForgePlace, forge_of_kind, heal_of, publish

pytestmark = pytest.mark.usefixtures("own_state")


@pytest.fixture(params=["local", "github"])
def forge(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[ForgePlace]:
    with forge_of_kind(request.param, monkeypatch, tmp_path) as place:
        yield place


async def _comment(forge: ForgePlace, made: PullRequest, text: str, key: str = "one") -> None:
    comment = Comment(pull_request=made, repository=forge.name, key=key, text=text)
    await ActivityEnvironment().run(comment_on_pull_request, comment)


async def _decide(forge: ForgePlace, made: PullRequest, state: str, text: str) -> None:
    decision = PullRequestDecision(
        pull_request=made, repository=forge.name, state=state, text=text, key="decision"
    )
    await ActivityEnvironment().run(decide_pull_request, decision)


async def test_the_source_step_says_where_the_repository_is(forge: ForgePlace) -> None:
    assert (await forge.fetch()).forge == forge.kind


async def test_the_heal_is_a_commit_on_its_branch(forge: ForgePlace) -> None:
    content = await forge.content()
    main = forge.tip("main")

    made = await publish(content)

    assert made.branch == BRANCH
    assert forge.tip(BRANCH) == made.head
    assert git(forge.there, "rev-parse", f"{BRANCH}^") == content.source.commit
    assert git(forge.there, "rev-parse", f"{BRANCH}^{{tree}}") == made.tree
    assert git(forge.there, "show", f"{BRANCH}:a.py") == "A = 2"
    assert git(forge.there, "diff", "--name-only", content.source.commit, BRANCH) == "a.py"
    message = git(forge.there, "log", "-1", "--format=%B", BRANCH)
    assert message.startswith("fix: heal the unit tests\n\nmended a.py")
    assert "tests/test_unit.py::test_it" in message
    assert forge.tip("main") == main


async def test_the_same_patches_are_the_same_commits_on_every_forge(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    heads = []
    monkeypatch.setenv("GIT_AUTHOR_DATE", "2026-01-05T09:00:00Z")
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2026-01-05T09:00:00Z")
    for kind in ("local", "github"):
        (tmp_path / kind).mkdir()
        with forge_of_kind(kind, monkeypatch, tmp_path / kind) as place:
            heads.append((await publish(await place.content())).head)

    assert heads[0] == heads[1]


async def test_published_again_it_is_the_same_pull_request(forge: ForgePlace) -> None:
    content = await forge.content()

    first = await publish(content)
    told = forge.told(first.number)

    assert await publish(content) == first
    assert forge.told(first.number) == told
    assert forge.numbers() == [first.number]


async def test_a_second_heal_is_a_second_commit_of_the_same_pull_request(
    forge: ForgePlace,
) -> None:
    content = await forge.content()
    first = await publish(content)
    healed = Workspace(source=content.source).with_patch(content.heals[0].patch)
    second = await heal_of(healed, "integration", "b.py", "B = 2\n")

    grown = await publish(content.model_copy(update={"heals": (*content.heals, second)}))

    assert grown.number == first.number
    assert git(forge.there, "rev-parse", f"{BRANCH}^") == first.head
    assert git(forge.there, "show", f"{BRANCH}:b.py") == "B = 2"
    assert git(forge.there, "show", f"{BRANCH}:a.py") == "A = 2"
    assert "mended b.py" in forge.told(first.number).body
    async with checked_out(healed.with_patch(second.patch)) as copy:
        git(copy, "add", "--all")
        assert git(copy, "write-tree") == grown.tree


async def test_another_run_has_another_pull_request(forge: ForgePlace) -> None:
    first = await publish(await forge.content())

    second = await publish(await forge.content("pipeline/shop/2"))

    assert forge.numbers() == [first.number, second.number]
    assert first.number != second.number


async def test_comments_and_decisions_of_the_same_key_count_once(forge: ForgePlace) -> None:
    made = await publish(await forge.content())

    for _ in range(2):
        await _comment(forge, made, "Please look.")
        await _decide(forge, made, "approved", "approved by release-manager")

    assert forge.told(made.number).comments == ["Please look.", "approved by release-manager"]


async def test_published_again_it_keeps_its_comments(forge: ForgePlace) -> None:
    content = await forge.content()
    made = await publish(content)
    await _comment(forge, made, "Keep me.")

    await publish(content)

    assert forge.told(made.number).comments == ["Keep me."]


async def test_the_same_failure_of_a_later_commit_updates_the_pull_request_in_place(
    forge: ForgePlace,
) -> None:
    first = await forge.content(signature="s1")
    made = await publish(first)
    await _comment(forge, made, "Please look.", "reminder-1")
    second = await forge.later("s1")

    for _ in range(2):
        updated = await publish(second)

    assert (updated.number, updated.branch, updated.url) == (made.number, BRANCH, made.url)
    assert updated.head != made.head
    assert forge.tip(BRANCH) == updated.head
    assert git(forge.there, "rev-parse", f"{BRANCH}^") == second.source.commit
    assert forge.branches() == [BRANCH]
    told = forge.told(made.number)
    assert told.title == f"Heal the unit tests of {second.source.commit[:12]}"
    assert second.source.commit in told.body
    assert first.source.commit not in told.body
    reminder, superseded = told.comments
    assert reminder == "Please look."
    assert f"`{second.run}`" in superseded
    assert f"supersedes run `{first.run}`" in superseded
    assert made.tree[:12] in superseded


async def test_a_decision_of_the_superseded_run_decides_nothing_of_the_new_one(
    forge: ForgePlace,
) -> None:
    made = await publish(await forge.content(signature="s1"))
    second = await forge.later("s1")
    updated = await publish(second)

    for _ in range(2):
        await _decide(forge, made, "approved", "approved by Ada")

    told = [each for each in forge.told(made.number).comments if each.startswith("approved by Ada")]
    assert len(told) == 1
    assert f"It says nothing about tree {updated.tree[:12]}" in told[0]
    # It is open still, so that the next run takes it over.
    third = second.model_copy(update={"run": "pipeline/shop/3"})
    assert (await publish(third)).number == made.number


@pytest.mark.parametrize("state", ["approved", "rejected"])
async def test_what_is_decided_is_not_opened_again(state: str, forge: ForgePlace) -> None:
    content = await forge.content(signature="s1")
    made = await publish(content)
    await _decide(forge, made, state, state)

    assert (await publish(content)).number == made.number
    told = forge.told(made.number)
    again = content.model_copy(update={"run_id": "retried"})
    retried = await publish(again)

    assert retried.number != made.number
    assert forge.told(made.number) == told


async def test_a_retry_updates_the_open_pull_request(forge: ForgePlace) -> None:
    content = await forge.content(signature="s1")
    made = await publish(content)

    retried = await publish(content.model_copy(update={"run_id": "retried"}))

    assert (retried.number, retried.branch) == (made.number, made.branch)
    assert "retried" in forge.told(made.number).body


@pytest.mark.parametrize("change", ["signature", "ref", "unsigned"])
async def test_another_failure_or_ref_is_another_pull_request(
    change: str, forge: ForgePlace
) -> None:
    git(forge.there, "branch", "release", "main")
    first = await forge.content(signature="" if change == "unsigned" else "s1")
    signature = {"signature": "s2", "ref": "s1", "unsigned": ""}[change]
    second = await forge.later(signature)
    if change == "ref":
        source = second.source.model_copy(update={"ref": "release"})
        second = second.model_copy(update={"source": source})

    made, other = await publish(first), await publish(second)

    assert made.number != other.number
    assert other.branch == second.branch
    assert forge.tip(made.branch) == made.head


async def test_a_superseded_run_that_heals_on_has_a_pull_request_of_its_own(
    forge: ForgePlace,
) -> None:
    first = await forge.content(signature="s1")
    made = await publish(first)
    healed = Workspace(source=first.source).with_patch(first.heals[0].patch)
    later_heal = await heal_of(healed, "integration", "b.py", "B = 2\n")
    updated = await publish(await forge.later("s1"))

    grown = first.model_copy(update={"heals": (*first.heals, later_heal)})
    for _ in range(2):
        own = await publish(grown)

    assert updated.number == made.number
    assert own.number != made.number
    assert own.branch == f"{BRANCH}-2"
    assert forge.tip(BRANCH) == updated.head
    assert forge.tip(own.branch) == own.head


async def test_two_runs_at_once_share_one_pull_request(forge: ForgePlace) -> None:
    first = await forge.content(signature="s1")
    second = await forge.later("s1")

    one, two = await asyncio.gather(publish(first), publish(second))

    assert one.number == two.number
    assert forge.numbers() == [one.number]
    assert forge.tip(one.branch) in (one.head, two.head)
    assert len(forge.told(one.number).comments) == 1


async def test_somebodys_commit_on_the_branch_is_not_lost(forge: ForgePlace) -> None:
    await publish(await forge.content(signature="s1"))
    theirs = forge.commit_on(BRANCH)
    second = await forge.later("s1")

    for _ in range(2):
        updated = await publish(second)

    assert forge.tip(BRANCH) == theirs
    assert updated.branch == second.branch
    assert forge.tip(second.branch) == updated.head
    comments = [each for number in forge.numbers() for each in forge.told(number).comments]
    [superseded] = comments
    assert f"Branch {BRANCH} is somebody's work now" in superseded


@pytest.mark.parametrize("branch", ["main", "auto-heal/", "heads/auto-heal/x", "release/1"])
def test_no_other_branch_can_be_asked_for(branch: str) -> None:
    known: dict[str, object] = {"run": "r", "source": {}, "heals": []}

    with pytest.raises(ValueError, match="branch"):
        PullRequestContent.model_validate(known | {"branch": branch})


async def test_a_repository_on_no_known_forge_is_refused_for_good(forge: ForgePlace) -> None:
    content = await forge.content()
    elsewhere = content.source.model_copy(update={"location": "https://forge.invalid/a/b.git"})

    with pytest.raises(ApplicationError, match="is not a repository on this machine") as raised:
        await publish(content.model_copy(update={"source": elsewhere}))

    assert raised.value.type == "ForgeUnsupported"
    assert raised.value.non_retryable
