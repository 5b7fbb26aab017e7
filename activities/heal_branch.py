"""The branches that Regreen may write to: its own, and only while they are nobody else's."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Protocol

from temporalio.exceptions import ApplicationError

from activities.git import git
from regreen.contracts.pull_request import PullRequestRecord

HEAL_BRANCHES = "auto-heal/"


class Branches(Protocol):
    """The branches of a repository, wherever it is."""

    async def head(self, branch: str) -> str:
        """The commit that a branch points to; empty when there is no such branch."""

    async def is_worked_on(self, branch: str) -> bool:
        """Whether somebody has the branch checked out there."""

    async def point(self, branch: str, head: str, current: str) -> None:
        """Let a branch point to `head` if it still points to `current`, or is not there if empty.

        Raises ApplicationError when it does not, so that a commit made meanwhile is not lost.
        """


class BranchesOnDisk:
    """Those of a repository on this machine."""

    def __init__(self, repository: Path) -> None:
        self._repository = repository

    async def head(self, branch: str) -> str:
        listed = await self._git("for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}")
        return listed.strip()

    async def is_worked_on(self, branch: str) -> bool:
        listed = await self._git("worktree", "list", "--porcelain")
        return f"branch refs/heads/{branch}" in listed.splitlines()

    async def point(self, branch: str, head: str, current: str) -> None:
        await self._git("update-ref", f"refs/heads/{branch}", head, current or "0" * len(head))

    async def _git(self, *arguments: str) -> str:
        return (await git(arguments, cwd=self._repository)).decode("utf-8", "replace")


class BranchesOnServer:
    """Those of a repository that is reached at a clone URL; commits come from one on disk."""

    def __init__(self, address: str, repository: Path, credentials: Mapping[str, str]) -> None:
        self._address = address
        self._repository = repository
        self._credentials = credentials

    async def head(self, branch: str) -> str:
        reference = f"refs/heads/{branch}"
        listed = await self._git("ls-remote", self._address, reference)
        # The server also tells of references that only end so.
        heads = (line.split("\t") for line in listed.splitlines())
        return next((commit for commit, name in heads if name == reference), "")

    async def is_worked_on(self, branch: str) -> bool:
        return False

    async def point(self, branch: str, head: str, current: str) -> None:
        reference = f"refs/heads/{branch}"
        lease = f"--force-with-lease={reference}:{current}"
        await self._git("push", "--quiet", lease, self._address, f"{head}:{reference}")

    async def _git(self, *arguments: str) -> str:
        printed = await git(arguments, cwd=self._repository, env=self._credentials)
        return printed.decode("utf-8", "replace")


async def move_heal_branch(
    branches: Branches,
    proposed: str,
    head: str,
    known: PullRequestRecord | None,
    taken: Collection[str] = (),
) -> str:
    """Let a branch point to `head` and return its name.

    It is the branch of the `known` pull request, unless somebody has committed to it or works on
    it; else the proposed one, or the proposed one with a number when that is another's or `taken`.
    Raises ApplicationError `BranchRefused` for a branch that is not Regreen's.
    """
    if known is not None and await _point(branches, known.branch, head, (known.head,)):
        return known.branch
    number = 1
    while True:
        branch = proposed if number == 1 else f"{proposed}-{number}"
        if branch not in taken and await _point(branches, branch, head, ()):
            return branch
        number += 1


async def _point(branches: Branches, branch: str, head: str, ours: tuple[str, ...]) -> bool:
    if not branch.startswith(HEAL_BRANCHES):
        raise ApplicationError(
            f"{branch} is not a branch of Regreen's", type="BranchRefused", non_retryable=True
        )
    current = await branches.head(branch)
    if current == head:
        return True
    if current and (current not in ours or await branches.is_worked_on(branch)):
        return False
    await branches.point(branch, head, current)
    return True
