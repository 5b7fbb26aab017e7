"""What every publish target offers, and the one way in which a release is written to it.

Look up, compare digests, write what is missing, look up again. A repeated call writes nothing
twice, whatever an earlier one came to.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from temporalio.exceptions import ApplicationError

from activities.artifact_store import get_file
from regreen.contracts.publishing import TargetRequest
from regreen.contracts.receipts import PublishedFile, TakenBack, TargetReceipt
from regreen.contracts.release import ReleaseFile
from regreen.settings import Settings


class ReleaseTarget(Protocol):
    """A place that users fetch releases from. Errors say in one line what is wrong."""

    name: str
    address: str
    """Where users fetch the release."""
    files: dict[str, ReleaseFile]
    """What the target is to hold, by the name that it has there."""
    stages: bool
    """Whether files can be written there before users see them."""

    async def look_up(self) -> dict[str, str]:
        """SHA-256 of each of the release's files that is there, by name, staged ones included."""

    async def write(self, name: str, path: Path) -> None:
        """Write one file that is not there. Never replaces one."""

    async def check(self, name: str, path: Path) -> None:
        """Refuse a file that the target is known not to take. Writes nothing."""

    async def finish(self) -> bool:
        """Show what was written to users; False when they saw it already."""

    async def fetch(self, name: str, path: Path) -> None:
        """Fetch a file as a user does."""

    async def discard(self) -> str:
        """Remove what was staged and is not published; says what was done."""

    async def withdraw(self) -> TakenBack:
        """Take a published release from users as far as the target can."""


async def stage(target: ReleaseTarget, folder: Path) -> None:
    """Write what users do not see yet, and find what would fail while nothing is published.

    Raises TargetConflict for other bytes, TargetRefused for a file that the target does not take.
    """
    there = await _compared(target)
    for name, path in await _missing(target, there, folder):
        await target.check(name, path)
        if target.stages:
            await target.write(name, path)


async def publish(target: ReleaseTarget, folder: Path) -> TargetReceipt:
    """Write the release and show it to users. The receipt is what was found there at the end."""
    there = await _compared(target)
    written = await _missing(target, there, folder)
    for name, path in written:
        await target.write(name, path)
    shown = await target.finish()
    there = await _compared(target)
    missing = [name for name in target.files if name not in there]
    if missing:
        raise ApplicationError(
            f"{target.address} does not show {missing[0]} yet", type="TargetIncomplete"
        )
    return TargetReceipt(
        target=target.name,
        address=target.address,
        files=tuple(PublishedFile(name=name, sha256=there[name]) for name in sorted(there)),
        adopted=not written and not shown,
    )


def refused(message: str) -> ApplicationError:
    """An error that trying again does not mend."""
    return ApplicationError(message, type="TargetRefused", non_retryable=True)


def conflict(message: str) -> ApplicationError:
    """Something else is there already, and stays."""
    return ApplicationError(message, type="TargetConflict", non_retryable=True)


def check_allowed(address: str, settings: Settings) -> None:
    """Raise TargetRefused unless the operator lets the publisher write to the address."""
    for allowed in settings.publish_to.split():
        base = allowed.rstrip("/")
        if address == base or address.startswith(f"{base}/"):
            return
    raise refused(
        f"the publisher may not write to {address}; its operator allows addresses "
        "with REGREEN_PUBLISH_TO"
    )


def flat_name(path: str) -> str:
    """A release file's name on a target without folders."""
    return path.replace("/", ".")


def whole_release(request: TargetRequest) -> dict[str, ReleaseFile]:
    """All files of the release, by flat name."""
    return {flat_name(file.path): file for file in request.files}


async def _compared(target: ReleaseTarget) -> dict[str, str]:
    there = await target.look_up()
    for name, digest in there.items():
        wanted = target.files[name].content.sha256
        if digest != wanted:
            raise conflict(
                f"{target.address} holds another {name}: sha256 {digest} is there, {wanted} is new"
            )
    return there


async def _missing(
    target: ReleaseTarget, there: Mapping[str, str], folder: Path
) -> list[tuple[str, Path]]:
    missing = [(name, folder / name) for name in target.files if name not in there]
    for name, path in missing:
        await get_file(target.files[name].content, path)
    return missing
