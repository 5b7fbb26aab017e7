"""The guard's activity: what a patch changes, and whether it may be run."""

from pathlib import Path

from temporalio import activity

from activities.artifact_store import get_bytes
from activities.git import git
from activities.healing.guard import guard
from activities.healing.guard_change import ChangedFile
from activities.healing.guard_literals import expected_literals, source_of_test
from activities.healing.normal_form import normal_form
from activities.workspace import checked_out
from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.healing import GuardVerdict
from regreen.contracts.run import StageRequest
from regreen.contracts.testing import TestFailure

_ABSENT = 0


class GuardRequest(StageRequest):
    """A patch on top of the request's workspace, and the failures that it is to mend."""

    patch: ArtifactRef
    failures: tuple[TestFailure, ...]


@activity.defn
async def guard_patch(request: GuardRequest) -> GuardVerdict:
    """Compare the trees before and after the patch; nothing of the repository is run."""
    patch = await get_bytes(request.patch)
    async with checked_out(request.workspace) as copy:
        changes = await changed_files(copy, patch)
        sources = [failing_test(copy, failure.node_id) for failure in request.failures]
    verdict = guard(
        changes,
        expectations=expected_literals(request.failures, sources),
        open_paths=request.pipeline.heal.open_paths,
        open_rules=request.pipeline.heal.open_rules,
    )
    return verdict.model_copy(update={"normal_form": normal_form(changes)})


def failing_test(copy: Path, node_id: str) -> str:
    """The text of the test function that a node id names; empty when it cannot be read."""
    path = copy / node_id.split("::", maxsplit=1)[0]
    if not path.resolve().is_relative_to(copy.resolve()) or path.suffix != ".py":
        return ""
    try:
        return source_of_test(path.read_text(encoding="utf-8"), node_id)
    except (OSError, UnicodeDecodeError):
        return ""


async def changed_files(copy: Path, patch: bytes) -> list[ChangedFile]:
    """The files that a patch changes in a checked-out workspace, with content and modes.

    Raises ApplicationError `GitFailed` when it does not apply.
    """
    before = (await git(["write-tree"], cwd=copy)).decode().strip()
    await git(["apply", "--cached", "--whitespace=nowarn", "-"], cwd=copy, data=patch)
    after = (await git(["write-tree"], cwd=copy)).decode().strip()
    raw = await git(["diff-tree", "-r", "--raw", "-z", "--no-renames", before, after], cwd=copy)
    fields = raw.decode("utf-8", "surrogateescape").split("\0")
    changes = []
    for header, path in zip(fields[::2], fields[1::2], strict=False):
        old_mode, new_mode, old, new, _ = header.removeprefix(":").split(" ")
        changes.append(
            ChangedFile(
                path=path,
                before=await _content(copy, int(old_mode, 8), old),
                after=await _content(copy, int(new_mode, 8), new),
                before_mode=int(old_mode, 8) or None,
                after_mode=int(new_mode, 8) or None,
            )
        )
    return changes


async def _content(copy: Path, mode: int, blob: str) -> bytes | None:
    if mode == _ABSENT:
        return None
    is_submodule = mode == 0o160000
    return b"" if is_submodule else await git(["cat-file", "blob", blob], cwd=copy)
