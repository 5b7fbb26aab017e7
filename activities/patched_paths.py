"""Which paths patches change."""

from activities.artifact_store import get_bytes
from activities.git import git
from activities.workspace import private_folder
from regreen.contracts.artifacts import ArtifactRef


async def patched_paths(patches: tuple[ArtifactRef, ...]) -> tuple[str, ...]:
    """The paths that the patches change, each once, the old names of renamed files included."""
    paths: list[str] = []
    with private_folder() as folder:
        for patch in patches:
            listed = await git(
                ["apply", "--numstat", "-z", "-"], cwd=folder, data=await get_bytes(patch)
            )
            fields = listed.decode("utf-8", "surrogateescape").split("\0")
            paths += [field.split("\t")[-1] for field in fields if field]
    return tuple(dict.fromkeys(path for path in paths if path))
