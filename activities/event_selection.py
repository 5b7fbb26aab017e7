"""Whether a pushed commit's own pipeline file selects the event that tells of it."""

import re
from pathlib import Path

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.git import git, object_format
from activities.git_credentials import git_credentials
from activities.heartbeat import heartbeating
from activities.source import read_pipeline
from activities.workspace import private_folder
from regreen.contracts.repository import EventSelection, Selected
from regreen.errors import UsageError
from regreen.event_selection import why_not_selected
from regreen.settings import load_settings

# What git says when a server does not have, or does not give, what was asked for by name.
_GONE = re.compile(r"not our ref|unadvertised object|couldn't find remote ref|git cat-file: ")


@activity.defn
async def select_event(asked: EventSelection) -> Selected:
    """Fetch the commit without its history and read its `on` section.

    A pipeline file that cannot be read selects everything: the run then fails and says why. A
    commit that the forge no longer has is refused. Raises ApplicationError `GitFailed` when the
    forge does not answer.
    """
    with private_folder() as folder:
        bare = folder / "fetched.git"
        await git(["init", "--quiet", "--bare", object_format(asked.commit), str(bare)])
        if not await _fetch(bare, asked):
            return Selected(refused=f"the forge no longer has commit {asked.commit[:12]}")
        try:
            pipeline = await read_pipeline(bare, asked.commit)
        except UsageError:
            return Selected()
    return Selected(refused=why_not_selected(pipeline.on, asked.event, asked.ref, asked.base))


async def _fetch(bare: Path, asked: EventSelection) -> bool:
    """Whether the commit could be had, by itself or, where the server wants that, by its ref."""
    credentials = await git_credentials(asked.location, load_settings())
    wanted = [asked.commit, f"refs/heads/{asked.ref}", f"refs/tags/{asked.ref}"]
    for each in wanted:
        fetch = ["fetch", "--quiet", "--depth=1", "--end-of-options", asked.location, each]
        try:
            await heartbeating(git(fetch, cwd=bare, env=credentials), f"git fetch {each}")
            await git(["cat-file", "-e", f"{asked.commit}^{{commit}}"], cwd=bare)
        except ApplicationError as error:
            if not _GONE.search(error.message):
                raise
            continue
        return True
    return False
