"""Workspaces: turning (source, patches) into a folder, the same one on any runner."""

import asyncio
import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from temporalio.exceptions import ApplicationError

from activities.artifact_store import get_bytes, get_file
from activities.git import git, object_format
from activities.heartbeat import heartbeating
from activities.process_life import is_alive
from regreen.contracts.source import Workspace
from regreen.settings import load_settings


@contextlib.asynccontextmanager
async def checked_out(workspace: Workspace) -> AsyncIterator[Path]:
    """A private, writable copy of the workspace, removed at the end.

    Raises ApplicationError `PatchRejected` when a patch does not apply and `SourceCorrupt` when
    the tree is not the recorded one; neither is retryable.
    """
    subject = f"checkout of {workspace.source.commit[:12]}"
    pristine = await heartbeating(_materialised(workspace), subject)
    with private_folder() as folder:
        copy = folder / "workspace"
        copied = asyncio.to_thread(shutil.copytree, pristine, copy, symlinks=True)
        await heartbeating(copied, subject)
        yield copy


@contextlib.contextmanager
def private_folder() -> Iterator[Path]:
    """A folder for one activity's files, removed at the end or, after a kill, by `sweep`."""
    base = load_settings().state.resolve() / "work"
    base.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=base))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep() -> None:
    """Remove what killed processes left under the state's `work` folder."""
    base = load_settings().state.resolve() / "work"
    for folder in base.glob("*-*") if base.is_dir() else ():
        pid = folder.name.partition("-")[0]
        if pid.isdigit() and not is_alive(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)


async def _materialised(workspace: Workspace) -> Path:
    digests = [workspace.source.bundle.sha256, workspace.source.commit]
    digests += [patch.sha256 for patch in workspace.patches]
    key = hashlib.sha256("\n".join(digests).encode()).hexdigest()
    target = load_settings().cache / "workspaces" / key
    if target.is_dir():
        return target
    with private_folder() as folder:
        made = folder / "tree"
        bundle = folder / "source.bundle"
        await get_file(workspace.source.bundle, bundle)
        names = object_format(workspace.source.commit)
        await git(["init", "--quiet", "--initial-branch=unborn", names, str(made)])
        await git(["fetch", "--quiet", "--no-tags", str(bundle), "refs/*:refs/*"], cwd=made)
        await git(["checkout", "--quiet", "--detach", workspace.source.commit], cwd=made)
        tree = (await git(["rev-parse", "HEAD^{tree}"], cwd=made)).decode().strip()
        if tree != workspace.source.tree:
            raise ApplicationError(
                f"source has tree {tree[:12]}, expected {workspace.source.tree[:12]}",
                type="SourceCorrupt",
                non_retryable=True,
            )
        for patch in workspace.patches:
            await _apply(made, patch.name, await get_bytes(patch))
        target.parent.mkdir(parents=True, exist_ok=True)
        # Another activity may have made the same tree meanwhile; both are equal.
        with contextlib.suppress(OSError):
            made.rename(target)
    return target


async def _apply(tree: Path, name: str, patch: bytes) -> None:
    try:
        await git(["apply", "--index", "--whitespace=nowarn", "-"], cwd=tree, data=patch)
    except ApplicationError as error:
        raise ApplicationError(
            f"patch {name} does not apply: {error.message}",
            type="PatchRejected",
            non_retryable=True,
        ) from error


async def patch_of(tree: Path) -> bytes:
    """The difference between the index (base and applied patches) and the files of a workspace."""
    # Without --ignore-removal deleted files leave the index, too, and so the difference.
    await git(["add", "--intent-to-add", "--ignore-removal", "."], cwd=tree)
    return await git(["diff", "--binary", "--no-color", "--no-ext-diff"], cwd=tree)
