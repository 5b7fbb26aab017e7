"""Every kind of forge with a repository on it, for tests that hold for all of them."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from temporalio.testing import ActivityEnvironment

from activities.artifact_store import put_bytes
from activities.local_forge import read_pull_request
from activities.pull_request import publish_pull_request
from activities.source import SourceRequest, fetch_source
from activities.workspace import checked_out, patch_of
from regreen.contracts.healing import Heal
from regreen.contracts.pull_request import PullRequestContent
from regreen.contracts.run import PullRequest, SourceFetched
from regreen.contracts.source import Workspace
from tests.doubles.github.server import GithubDouble, github_double
from tests.e2e.plain_repository import git, plain_repository

BRANCH = "auto-heal/unit/20260105T090000Z"
LATER = "auto-heal/unit/20260106T090000Z"
NAMES = {"local": "local/shop", "github": "example/shop"}


@contextmanager
def forge_of_kind(
    kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator["ForgePlace"]:
    """A forge, with a repository of one commit on it that its owner has a copy of."""
    own = plain_repository(tmp_path / "shop", {"a.py": "A = 1\n", "b.py": "B = 1\n"})
    if kind == "local":
        monkeypatch.delenv("GITHUB_TOKEN", raising=False)
        yield ForgePlace(kind, own, own, str(own))
        return
    bare = tmp_path / "server.git"
    git(tmp_path, "clone", "--quiet", "--bare", str(own), str(bare))
    git(bare, "config", "uploadpack.allowAnySHA1InWant", "true")
    with github_double(NAMES[kind], git=bare) as double:
        monkeypatch.setenv("GITHUB_API_URL", double.address)
        monkeypatch.setenv("GITHUB_SERVER_URL", double.address)
        monkeypatch.setenv("GITHUB_TOKEN", double.state.token)
        yield ForgePlace(kind, own, bare, f"{double.address}/{NAMES[kind]}.git", double)


@dataclass(frozen=True)
class Told:
    """A pull request as a person sees it."""

    title: str
    body: str
    branch: str
    comments: list[str]


@dataclass
class ForgePlace:
    """A forge, and what a test can do to it from outside."""

    kind: str
    own: Path
    """The owner's copy of the repository."""
    there: Path
    """The repository on the forge."""
    location: str
    """Where runs are told that it is."""
    double: GithubDouble | None = None

    @property
    def name(self) -> str:
        """`owner/name`."""
        return NAMES[self.kind]

    @property
    def github(self) -> GithubDouble:
        """The double of GitHub."""
        assert self.double is not None
        return self.double

    async def fetch(self, ref: str = "main") -> SourceFetched:
        """The source step for what the owner has last committed."""
        request = SourceRequest(
            repository=self.name,
            location=self.location,
            ref=ref,
            commit=git(self.own, "rev-parse", "HEAD"),
        )
        return await ActivityEnvironment().run(fetch_source, request)

    async def content(
        self, run: str = "pipeline/shop/1", signature: str = ""
    ) -> PullRequestContent:
        """A heal of the unit tests at the owner's last commit."""
        source = (await self.fetch()).source
        heal = await heal_of(Workspace(source=source), "unit", "a.py", "A = 2\n", signature)
        return PullRequestContent(run=run, source=source, branch=BRANCH, heals=(heal,))

    async def later(self, signature: str) -> PullRequestContent:
        """The heal of the same tests in another run, of a later commit."""
        (self.own / "b.py").write_text("B = 3\n")
        git(self.own, "commit", "--quiet", "--all", "--message", "feat: go on")
        if self.there != self.own:
            git(self.own, "push", "--quiet", str(self.there), "main")
        content = await self.content("pipeline/shop/2", signature)
        return content.model_copy(update={"branch": LATER})

    def tip(self, branch: str) -> str:
        """The commit that a branch is at."""
        return git(self.there, "rev-parse", f"refs/heads/{branch}")

    def branches(self) -> list[str]:
        """The heal branches."""
        shown = ("--format=%(refname:short)", "refs/heads/auto-heal")
        return git(self.there, "for-each-ref", *shown).splitlines()

    def commit_on(self, branch: str) -> str:
        """Somebody's commit on a branch."""
        tip = self.tip(branch)
        theirs = git(self.there, "commit-tree", f"{tip}^{{tree}}", "-p", tip, "-m", "mine")
        git(self.there, "update-ref", f"refs/heads/{branch}", theirs)
        return theirs

    def numbers(self) -> list[int]:
        """All pull requests there are."""
        if self.double is not None:
            return sorted(self.double.state.pulls)
        return [n for n in range(1, 10) if self._is_there(n)]

    def told(self, number: int) -> Told:
        """A pull request as it is now."""
        if self.double is None:
            record = read_pull_request(self.name, number)
            comments = list(record.comments.values())
            return Told(record.title, record.body, record.branch, comments)
        pull = self.double.state.pulls[number]
        remarks = [each.body for each in self.double.state.remarks if each.pull == number]
        return Told(
            pull.title, _visible(pull.body), pull.head, [_visible(each) for each in remarks]
        )

    def _is_there(self, number: int) -> bool:
        try:
            read_pull_request(self.name, number)
        except FileNotFoundError:
            return False
        return True


async def heal_of(
    workspace: Workspace, stage: str, name: str, text: str, signature: str = ""
) -> Heal:
    """A heal of a stage that writes a file."""
    async with checked_out(workspace) as copy:
        (copy / name).write_text(text)
        patch = await put_bytes(f"{stage}.patch", await patch_of(copy))
    return Heal(
        stage=stage,
        healer="search",
        explanation=f"mended {name}",
        patch=patch,
        failing=(f"tests/test_{stage}.py::test_it",),
        signature=signature,
        attempts=1,
        tokens=0,
        cost_usd=0.0,
    )


async def publish(content: PullRequestContent) -> PullRequest:
    """Publish as a run does."""
    return await ActivityEnvironment().run(publish_pull_request, content)


def _visible(text: str) -> str:
    return re.sub(r"<!--.*?-->\n", "", text)
