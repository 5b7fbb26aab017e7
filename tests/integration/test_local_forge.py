"""The local forge: heal branches and pull request records, made once however often asked."""

import json
from pathlib import Path

import pytest
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
    assert record.comments == {
        "reminder-1": "Please look.",
        "decision": "approved by release-manager",
    }
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

    assert read_pull_request("local/shop", made.number).comments == {"one": "Keep me."}


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
