"""Which commit a change branched off from: what is new in it is counted from there."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from temporalio.exceptions import ApplicationError

from activities.git import git


@dataclass(frozen=True)
class Base:
    """A commit and the branch that it is on; both empty where none is known."""

    commit: str = ""
    ref: str = ""
    """As a person calls it: `main`, `origin/main`."""


async def find_base(
    fetched: Path, location: str, commit: str, branch: str, credentials: Mapping[str, str]
) -> Base:
    """The merge base of a commit and the branch that it is for.

    That is `branch`, to which its pull request goes; else the default branch of the remote `origin`
    of the repository at `location`, or its own. `fetched` has that repository's references below
    `refs/fetched/`; `credentials` is git's environment for reaching it. None is known when there is
    no such branch, or the commit is on it already.
    """
    for name in await _candidates(location, branch, credentials):
        tip = f"refs/fetched/{name}"
        if not await git(["for-each-ref", "--format=%(objectname)", tip], cwd=fetched):
            continue
        try:
            found = await git(["merge-base", commit, tip], cwd=fetched)
        except ApplicationError:
            # Histories that have nothing in common.
            return Base()
        base = found.decode().strip()
        label = name.removeprefix("heads/").removeprefix("remotes/")
        return Base() if base == commit else Base(base, label)
    return Base()


async def _candidates(location: str, branch: str, credentials: Mapping[str, str]) -> list[str]:
    """Names below `refs/`, the most telling first."""
    if branch:
        return [f"heads/{branch}", f"remotes/origin/{branch}"]
    asked = ["ls-remote", "--symref", "--end-of-options", location, "HEAD"]
    heads = {}
    for line in (await git(asked, env=credentials)).decode("utf-8", "replace").splitlines():
        target, _, name = line.partition("\t")
        if target.startswith("ref: refs/"):
            heads[name] = target.removeprefix("ref: refs/")
    return [heads[name] for name in ("refs/remotes/origin/HEAD", "HEAD") if name in heads]
