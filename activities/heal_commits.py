"""Heals as commits: the same ones for the same patches on the same base, on whatever machine."""

from pathlib import Path

from activities.artifact_store import get_bytes
from activities.git import git
from activities.pull_request_text import heal_commit_message
from activities.workspace import private_folder
from regreen.contracts.base import Contract
from regreen.contracts.pull_request import PullRequestContent

_AUTHOR = {"GIT_AUTHOR_NAME": "Regreen", "GIT_AUTHOR_EMAIL": "regreen@localhost"}
_COMMITTER = {"GIT_COMMITTER_NAME": "Regreen", "GIT_COMMITTER_EMAIL": "regreen@localhost"}


class HealCommits(Contract):
    """A chain of commits on the base, one a heal."""

    head: str
    """The last commit."""
    tree: str
    """Git's hash of its tree."""
    patches: tuple[str, ...]
    """The heals' diffs in order, for a person."""


async def commit_heals(repository: Path, content: PullRequestContent) -> HealCommits:
    """Make the commits in a repository that has the base.

    With git's plumbing and an index of their own: its working tree, index and branches stay.
    """
    head = content.source.commit
    patches = []
    # The base's own date, so that the same patches on the same base are the same commits.
    shown = await git(["show", "--no-patch", "--format=%cI", head], cwd=repository)
    date = shown.decode().strip()
    dates = {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
    with private_folder() as folder:
        index = {"GIT_INDEX_FILE": str(folder / "index")}
        await git(["read-tree", head], cwd=repository, env=index)
        for heal in content.heals:
            patch = await get_bytes(heal.patch)
            patches.append(patch.decode("utf-8", "replace"))
            apply = ["apply", "--cached", "--whitespace=nowarn", "-"]
            await git(apply, cwd=repository, env=index, data=patch)
            tree = (await git(["write-tree"], cwd=repository, env=index)).decode().strip()
            made = await git(
                ["commit-tree", tree, "-p", head, "-F", "-"],
                cwd=repository,
                env=_AUTHOR | _COMMITTER | dates,
                data=heal_commit_message(content, heal).encode(),
            )
            head = made.decode().strip()
    tree = (await git(["rev-parse", f"{head}^{{tree}}"], cwd=repository)).decode().strip()
    return HealCommits(head=head, tree=tree, patches=tuple(patches))
