"""Two places for the two builds of a package, and what a build has to look like in both."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from activities.git import git
from activities.sandbox import WORKSPACE, Mount, Sandbox, isolation
from activities.workspace import checked_out
from regreen.contracts.source import Workspace

_ELSEWHERE = "/elsewhere/checkout"


@dataclass(frozen=True)
class Place:
    """A fresh checkout, and where a sandboxed command sees it."""

    copy: Path
    number: int
    """1 or 2: for the names of folders and logs."""

    @property
    def shown(self) -> str:
        """The checkout's path for the sandboxed command; the second place has another one."""
        if isolation().kind == "none":
            return str(self.copy)
        return WORKSPACE if self.number == 1 else _ELSEWHERE

    def seen_by(self, sandbox: Sandbox) -> Sandbox:
        """The sandbox with this checkout, writable."""
        if self.number == 1 or isolation().kind == "none":
            return replace(sandbox, workspace=self.copy)
        mount = Mount(self.copy, _ELSEWHERE, writable=True)
        return replace(sandbox, workspace=None, mounts=(*sandbox.mounts, mount))

    def command(self, arguments: Sequence[str]) -> list[str]:
        """The command, run at the root of the checkout."""
        return ["/bin/sh", "-c", 'cd "$0" && exec "$@"', self.shown, *arguments]


@contextlib.asynccontextmanager
async def two_places(workspace: Workspace) -> AsyncIterator[tuple[Place, Place]]:
    """Two checkouts of the workspace that share nothing, removed at the end."""
    async with checked_out(workspace) as first, checked_out(workspace) as second:
        yield Place(first, 1), Place(second, 2)


async def commit_time(copy: Path) -> str:
    """SOURCE_DATE_EPOCH of the checkout: the commit's time in seconds."""
    return (await git(["show", "-s", "--format=%ct", "HEAD"], cwd=copy)).decode().strip()
