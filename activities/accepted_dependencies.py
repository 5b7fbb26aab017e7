"""The dependencies of accepted commits, which later commits are compared with.

They are kept in the artifact store, one object for each commit of a repository: accepting a run
twice changes nothing, and a commit finds its base by its own history, on whatever branch it is.
"""

import hashlib
import json

import obstore
from temporalio import activity

from activities.artifact_store import get_bytes, open_store
from activities.components import Component, components_of
from activities.git import git
from activities.heartbeat import heartbeating
from activities.workspace import checked_out
from regreen.contracts.dependencies import AcceptedDependencies
from regreen.contracts.source import Workspace
from regreen.settings import load_settings

_KEPT = 200
_LOOKED_AT = 1000


async def accepted_base(workspace: Workspace) -> tuple[str, list[Component]] | None:
    """The nearest accepted commit before this one by its first parents, with its components.

    None when there is none among the last thousand.
    """
    store = open_store(load_settings().artifacts_url)
    prefix = _prefix(workspace.source.repository)
    listed = await obstore.list(store, prefix=prefix).collect_async()
    accepted = {each["path"].rpartition("/")[2].removesuffix(".json") for each in listed}
    if not accepted:
        return None
    commit = workspace.source.commit
    walk = ["rev-list", "--first-parent", f"--max-count={_LOOKED_AT}", commit]
    async with checked_out(Workspace(source=workspace.source)) as copy:
        history = (await git(walk, cwd=copy)).decode().split()
    for before in history:
        if before == commit or before not in accepted:
            continue
        try:
            content = await (
                await obstore.get_async(store, f"{prefix}/{before}.json")
            ).bytes_async()
            return before, components_of(json.loads(bytes(content)))
        except (FileNotFoundError, ValueError):
            continue
    return None


@activity.defn
async def accept_dependencies(accepted: AcceptedDependencies) -> None:
    """Remember the components of an accepted run; of each repository the newest two hundred."""
    await heartbeating(_accept(accepted), "dependencies accepted")


async def _accept(accepted: AcceptedDependencies) -> None:
    bill = await get_bytes(accepted.bill)
    store = open_store(load_settings().artifacts_url)
    prefix = _prefix(accepted.repository)
    await obstore.put_async(store, f"{prefix}/{accepted.commit}.json", bill)
    listed = await obstore.list(store, prefix=prefix).collect_async()
    newest = sorted(listed, key=lambda each: each["last_modified"], reverse=True)
    for each in newest[_KEPT:]:
        await obstore.delete_async(store, each["path"])


def _prefix(repository: str) -> str:
    return f"dependencies/{hashlib.sha256(repository.encode()).hexdigest()[:32]}"
