"""The branches that Regreen may write to: its own, and only while they are nobody else's."""

from pathlib import Path

from temporalio.exceptions import ApplicationError

from activities.git import git
from regreen.contracts.pull_request import PullRequestRecord

_PREFIX = "auto-heal/"


async def move_heal_branch(
    repository: Path, proposed: str, head: str, known: PullRequestRecord | None
) -> str:
    """Let a branch point to `head` and return its name.

    It is the branch of the `known` pull request, unless somebody has committed to it or works on
    it; else the proposed one, or the proposed one with a number when that is taken.
    Raises ApplicationError `BranchRefused` for a branch that is not Regreen's.
    """
    if known is not None and await _point(repository, known.branch, head, (known.head,)):
        return known.branch
    number = 1
    while True:
        branch = proposed if number == 1 else f"{proposed}-{number}"
        if await _point(repository, branch, head, ()):
            return branch
        number += 1


async def _point(repository: Path, branch: str, head: str, ours: tuple[str, ...]) -> bool:
    if not branch.startswith(_PREFIX):
        raise ApplicationError(
            f"{branch} is not a branch of Regreen's", type="BranchRefused", non_retryable=True
        )
    reference = f"refs/heads/{branch}"
    listed = await git(["for-each-ref", "--format=%(objectname)", reference], cwd=repository)
    current = listed.decode().strip()
    if current == head:
        return True
    if current and (current not in ours or await _is_checked_out(repository, reference)):
        return False
    # With the value that it must have still, so that a commit made meanwhile is not lost.
    await git(["update-ref", reference, head, current or "0" * len(head)], cwd=repository)
    return True


async def _is_checked_out(repository: Path, reference: str) -> bool:
    listed = await git(["worktree", "list", "--porcelain"], cwd=repository)
    return f"branch {reference}" in listed.decode("utf-8", "replace").splitlines()
