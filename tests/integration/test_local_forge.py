"""The local forge: heal branches and pull request records, made once however often asked."""

import asyncio
import json
from pathlib import Path

import pytest
from pydantic import ValidationError
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.artifact_store import put_bytes
from activities.local_forge import (
    comment_on_pull_request,
    decide_pull_request,
    publish_pull_request,
    read_pull_request,
)
from activities.source import SourceRequest, fetch_source
from activities.workspace import checked_out, patch_of
from regreen.contracts.healing import Heal
from regreen.contracts.pull_request import Comment, PullRequestContent, PullRequestDecision
from regreen.contracts.run import PullRequest
from regreen.contracts.source import Source, Workspace
from tests.e2e.plain_repository import git, plain_repository, working_state

pytestmark = pytest.mark.usefixtures("own_state")

BRANCH = "auto-heal/unit/20260105T090000Z"


async def _source(repository: Path) -> Source:
    request = SourceRequest(
        repository="local/shop",
        location=str(repository),
        ref="main",
        commit=git(repository, "rev-parse", "HEAD"),
    )
    return (await ActivityEnvironment().run(fetch_source, request)).source


async def _heal(workspace: Workspace, stage: str, name: str, text: str) -> Heal:
    async with checked_out(workspace) as copy:
        (copy / name).write_text(text)
        patch = await put_bytes(f"{stage}.patch", await patch_of(copy))
    return Heal(
        stage=stage,
        healer="search",
        explanation=f"mended {name}",
        patch=patch,
        failing=(f"tests/test_{stage}.py::test_it",),
        attempts=1,
        tokens=0,
        cost_usd=0.0,
    )


async def _content(repository: Path, run: str = "pipeline/local/shop/1") -> PullRequestContent:
    source = await _source(repository)
    heal = await _heal(Workspace(source=source), "unit", "a.py", "A = 2\n")
    return PullRequestContent(run=run, source=source, branch=BRANCH, heals=(heal,))


async def _publish(content: PullRequestContent) -> PullRequest:
    return await ActivityEnvironment().run(publish_pull_request, content)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository whose owner is in the middle of his work."""
    folder = plain_repository(tmp_path / "shop", {"a.py": "A = 1\n", "b.py": "B = 1\n"})
    (folder / "a.py").write_text("A = 'being edited'\n")
    (folder / "staged.py").write_text("STAGED = True\n")
    (folder / "untracked.txt").write_text("mine\n")
    git(folder, "add", "staged.py")
    return folder


async def test_the_heal_is_a_commit_on_its_branch(repository: Path) -> None:
    content = await _content(repository)

    made = await _publish(content)

    assert made.branch == BRANCH
    assert git(repository, "rev-parse", BRANCH) == made.head
    assert git(repository, "rev-parse", f"{BRANCH}^") == content.source.commit
    assert git(repository, "rev-parse", f"{BRANCH}^{{tree}}") == made.tree
    assert git(repository, "show", f"{BRANCH}:a.py") == "A = 2"
    changed = git(repository, "diff", "--name-only", content.source.commit, BRANCH)
    assert changed == "a.py"
    message = git(repository, "log", "-1", "--format=%B", BRANCH)
    assert message.startswith("fix: heal the unit tests\n\nmended a.py")
    assert "tests/test_unit.py::test_it" in message


async def test_nothing_that_the_owner_works_on_is_touched(repository: Path) -> None:
    before = working_state(repository)

    await _publish(await _content(repository))

    assert working_state(repository) == before
    assert git(repository, "rev-parse", "--abbrev-ref", "HEAD") == "main"


async def test_published_again_it_is_the_same_pull_request(
    repository: Path, own_state: Path
) -> None:
    content = await _content(repository)

    first = await _publish(content)
    page = Path(first.url.removeprefix("file://")).read_text()

    assert await _publish(content) == first
    assert Path(first.url.removeprefix("file://")).read_text() == page
    records = [path.name for path in (own_state / "pull-requests").rglob("*.json")]
    assert records == ["1.json"]


async def test_a_second_heal_is_a_second_commit_of_the_same_pull_request(
    repository: Path,
) -> None:
    content = await _content(repository)
    first = await _publish(content)
    healed = Workspace(source=content.source).with_patch(content.heals[0].patch)
    second = await _heal(healed, "integration", "b.py", "B = 2\n")

    grown = await _publish(content.model_copy(update={"heals": (*content.heals, second)}))

    assert grown.number == first.number
    assert git(repository, "rev-parse", f"{BRANCH}^") == first.head
    assert git(repository, "show", f"{BRANCH}:b.py") == "B = 2"
    assert git(repository, "show", f"{BRANCH}:a.py") == "A = 2"
    async with checked_out(healed.with_patch(second.patch)) as copy:
        git(copy, "add", "--all")
        assert git(copy, "write-tree") == grown.tree


async def test_another_run_has_another_pull_request(repository: Path) -> None:
    first = await _publish(await _content(repository))

    second = await _publish(await _content(repository, "pipeline/local/shop/2"))

    assert (first.number, second.number) == (1, 2)


async def test_comments_and_decisions_of_the_same_key_count_once(repository: Path) -> None:
    made = await _publish(await _content(repository))
    comment = Comment(
        pull_request=made, repository="local/shop", key="reminder-1", text="Please look."
    )
    decision = PullRequestDecision(
        pull_request=made,
        repository="local/shop",
        state="approved",
        text="approved by release-manager",
        key="decision",
    )

    for _ in range(2):
        await comment_on_pull_request(comment)
        await decide_pull_request(decision)

    record = read_pull_request("local/shop", made.number)
    assert record.state == "approved"
    assert list(record.comments.values()) == ["Please look.", "approved by release-manager"]
    page = Path(made.url.removeprefix("file://")).read_text()
    assert page.count("Please look.") == 1
    assert "approved)" in page.splitlines()[0]


async def test_published_again_it_keeps_its_comments(repository: Path) -> None:
    content = await _content(repository)
    made = await _publish(content)
    await comment_on_pull_request(
        Comment(pull_request=made, repository="local/shop", key="one", text="Keep me.")
    )

    await _publish(content)

    comments = read_pull_request("local/shop", made.number).comments
    assert list(comments.values()) == ["Keep me."]


async def test_a_decided_record_is_valid_json(repository: Path, own_state: Path) -> None:
    made = await _publish(await _content(repository))

    (path,) = (own_state / "pull-requests").rglob("*.json")

    assert json.loads(path.read_text())["head"] == made.head


async def test_a_repository_elsewhere_is_refused_for_good(repository: Path) -> None:
    content = await _content(repository)
    elsewhere = content.source.model_copy(update={"location": "https://forge.invalid/a/b.git"})

    with pytest.raises(ApplicationError, match="is not a repository on this machine") as raised:
        await _publish(content.model_copy(update={"source": elsewhere}))

    assert raised.value.type == "ForgeUnsupported"
    assert raised.value.non_retryable


def test_a_pull_request_that_is_not_there(own_state: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_pull_request("local/shop", 1)


async def _next_commit(repository: Path) -> PullRequestContent:
    """The heal of the same failure in a run of a later commit."""
    git(repository, "stash", "--quiet")
    (repository / "b.py").write_text("B = 3\n")
    git(repository, "commit", "--quiet", "--all", "--message", "feat: go on")
    later = await _content(repository, "pipeline/local/shop/2")
    return later.model_copy(update={"branch": "auto-heal/unit/20260106T090000Z"})


def _signed(content: PullRequestContent, *signatures: str) -> PullRequestContent:
    heals = zip(content.heals, signatures, strict=True)
    signed = tuple(heal.model_copy(update={"signature": each}) for heal, each in heals)
    return content.model_copy(update={"heals": signed})


async def test_the_same_failure_of_a_later_commit_updates_the_pull_request_in_place(
    repository: Path,
) -> None:
    first = _signed(await _content(repository), "s1")
    made = await _publish(first)
    await comment_on_pull_request(
        Comment(pull_request=made, repository="local/shop", key="reminder-1", text="Please look.")
    )
    second = _signed(await _next_commit(repository), "s1")

    for _ in range(2):
        updated = await _publish(second)

    assert (updated.number, updated.branch, updated.url) == (made.number, BRANCH, made.url)
    assert updated.head != made.head
    assert git(repository, "rev-parse", BRANCH) == updated.head
    assert git(repository, "rev-parse", f"{BRANCH}^") == second.source.commit
    branches = git(repository, "for-each-ref", "--format=%(refname:short)", "refs/heads/auto-heal")
    assert branches == BRANCH
    record = read_pull_request("local/shop", made.number)
    assert (record.run, record.head, record.tree) == (second.run, updated.head, updated.tree)
    assert record.title == f"Heal the unit tests of {second.source.commit[:12]}"
    assert second.source.commit in record.body
    assert first.source.commit not in record.body
    reminder, superseded = record.comments.values()
    assert reminder == "Please look."
    assert f"`{second.run}`" in superseded
    assert f"supersedes run `{first.run}`" in superseded
    assert made.tree[:12] in superseded


async def test_a_decision_of_the_superseded_run_decides_nothing_of_the_new_one(
    repository: Path,
) -> None:
    made = await _publish(_signed(await _content(repository), "s1"))
    updated = await _publish(_signed(await _next_commit(repository), "s1"))
    old = PullRequestDecision(
        pull_request=made,
        repository="local/shop",
        state="approved",
        text="approved by Ada",
        key="decision",
    )

    for _ in range(2):
        await decide_pull_request(old)

    record = read_pull_request("local/shop", made.number)
    assert (record.state, record.tree) == ("open", updated.tree)
    told = [text for text in record.comments.values() if text.startswith("approved by Ada")]
    assert len(told) == 1
    assert f"It says nothing about tree {updated.tree[:12]}" in told[0]
    new = old.model_copy(update={"pull_request": updated, "text": "approved by Bob"})
    await decide_pull_request(new)
    record = read_pull_request("local/shop", made.number)
    assert record.state == "approved"
    assert len(record.comments) == 3


@pytest.mark.parametrize("state", ["approved", "rejected"])
async def test_what_is_decided_is_not_opened_again(state: str, repository: Path) -> None:
    content = _signed(await _content(repository), "s1")
    made = await _publish(content)
    decision = PullRequestDecision(
        pull_request=made, repository="local/shop", state=state, text=state, key="decision"
    )
    await decide_pull_request(decision)

    assert (await _publish(content)).number == made.number
    assert read_pull_request("local/shop", made.number).state == state
    again = content.model_copy(update={"run_id": "retried"})
    retried = await _publish(again)

    assert retried.number == made.number + 1
    assert read_pull_request("local/shop", retried.number).state == "open"
    assert read_pull_request("local/shop", made.number).state == state


async def test_a_retry_updates_the_open_pull_request(repository: Path) -> None:
    content = _signed(await _content(repository), "s1")
    made = await _publish(content)

    retried = await _publish(content.model_copy(update={"run_id": "retried"}))

    assert (retried.number, retried.branch) == (made.number, made.branch)
    assert read_pull_request("local/shop", made.number).run_id == "retried"


@pytest.mark.parametrize("change", ["signature", "ref", "unsigned"])
async def test_another_failure_or_ref_is_another_pull_request(
    change: str, repository: Path
) -> None:
    first = _signed(await _content(repository), "" if change == "unsigned" else "s1")
    second = _signed(await _next_commit(repository), "s2" if change == "signature" else "s1")
    if change == "ref":
        source = second.source.model_copy(update={"ref": "release"})
        second = second.model_copy(update={"source": source})
    if change == "unsigned":
        second = _signed(second, "")

    made, other = await _publish(first), await _publish(second)

    assert (made.number, other.number) == (1, 2)
    assert other.branch == second.branch
    assert git(repository, "rev-parse", made.branch) == made.head


async def test_a_superseded_run_that_heals_on_has_a_pull_request_of_its_own(
    repository: Path,
) -> None:
    first = _signed(await _content(repository), "s1")
    made = await _publish(first)
    healed = Workspace(source=first.source).with_patch(first.heals[0].patch)
    later_heal = await _heal(healed, "integration", "b.py", "B = 2\n")
    updated = await _publish(_signed(await _next_commit(repository), "s1"))

    grown = first.model_copy(update={"heals": (*first.heals, later_heal)})
    for _ in range(2):
        own = await _publish(grown)

    assert (updated.number, own.number) == (made.number, made.number + 1)
    assert own.branch == f"{BRANCH}-2"
    assert git(repository, "rev-parse", BRANCH) == updated.head
    assert git(repository, "rev-parse", own.branch) == own.head


async def test_two_runs_at_once_share_one_pull_request(repository: Path) -> None:
    first = _signed(await _content(repository), "s1")
    second = _signed(await _next_commit(repository), "s1")

    one, two = await asyncio.gather(_publish(first), _publish(second))

    assert one.number == two.number == 1
    record = read_pull_request("local/shop", 1)
    assert git(repository, "rev-parse", record.branch) == record.head
    assert record.head in (one.head, two.head)
    assert len(record.superseded) == len(record.comments) == 1


async def test_somebodys_commit_on_the_branch_is_not_lost(repository: Path) -> None:
    made = await _publish(_signed(await _content(repository), "s1"))
    tree = git(repository, "rev-parse", f"{BRANCH}^{{tree}}")
    theirs = git(repository, "commit-tree", tree, "-p", made.head, "-m", "mine")
    git(repository, "update-ref", f"refs/heads/{BRANCH}", theirs)

    second = _signed(await _next_commit(repository), "s1")
    updated = await _publish(second)

    assert git(repository, "rev-parse", BRANCH) == theirs
    assert (updated.number, updated.branch) == (made.number, second.branch)
    assert git(repository, "rev-parse", second.branch) == updated.head
    [superseded] = read_pull_request("local/shop", 1).comments.values()
    assert f"Branch {BRANCH} is somebody's work now" in superseded


async def test_a_branch_that_somebody_is_on_is_not_moved(repository: Path) -> None:
    made = await _publish(_signed(await _content(repository), "s1"))
    second = _signed(await _next_commit(repository), "s1")
    git(repository, "checkout", "--quiet", BRANCH)
    before = working_state(repository)

    updated = await _publish(second)

    assert updated.branch == second.branch
    assert git(repository, "rev-parse", BRANCH) == made.head
    assert working_state(repository) == before


@pytest.mark.parametrize("branch", ["main", "auto-heal/", "heads/auto-heal/x", "release/1"])
def test_no_other_branch_can_be_asked_for(branch: str, tmp_path: Path) -> None:
    known: dict[str, object] = {"run": "r", "source": {}, "heals": []}

    with pytest.raises(ValidationError, match="branch"):
        PullRequestContent.model_validate(known | {"branch": branch})


async def test_no_other_branch_is_written_whatever_the_record_says(
    repository: Path, own_state: Path
) -> None:
    content = _signed(await _content(repository), "s1")
    await _publish(content)
    [path] = (own_state / "pull-requests").rglob("*.json")
    path.write_text(path.read_text().replace(BRANCH, "main"))
    main = git(repository, "rev-parse", "main")

    with pytest.raises(ApplicationError) as raised:
        await _publish(content)

    assert (raised.value.type, raised.value.non_retryable) == ("BranchRefused", True)
    assert git(repository, "rev-parse", "main") == main
