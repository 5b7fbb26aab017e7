"""The publisher's steps on targets beside the release folder."""

import asyncio
import hashlib
from pathlib import Path

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.github_target import GithubTarget
from activities.heartbeat import heartbeating
from activities.http_target import HttpTarget
from activities.index_target import IndexTarget
from activities.release_signer import trusted_by
from activities.release_target import ReleaseTarget, publish, stage
from activities.release_verification import verify_release
from activities.workspace import private_folder
from regreen.contracts.publishing import TargetRequest
from regreen.contracts.receipts import PublishedFile, TakenBack, TargetReceipt
from regreen.settings import load_settings


@activity.defn
async def stage_on_target(request: TargetRequest) -> None:
    """Write what users do not see yet, and find out whether something else is in the way.

    Raises non-retryable ApplicationErrors: `TargetConflict` names both digests, `TargetRefused`
    says what the operator or the pipeline file does not allow. All others may pass.
    """
    with private_folder() as folder:
        await heartbeating(stage(_target(request), folder), f"{request.target.label}: stage")


@activity.defn
async def publish_on_target(request: TargetRequest) -> TargetReceipt:
    """Write the release and show it to users; what is there with the same bytes is adopted.

    Raises as `stage_on_target` does.
    """
    with private_folder() as folder:
        return await heartbeating(
            publish(_target(request), folder), f"{request.target.label}: publish"
        )


@activity.defn
async def fetch_back(request: TargetRequest) -> TargetReceipt:
    """Fetch the release as users do and verify digests, and signatures where all files are there.

    Raises non-retryable ApplicationError `ReleaseInvalid` when something differs.
    """
    with private_folder() as folder:
        return await heartbeating(
            _fetched(_target(request), request, folder), f"{request.target.label}: fetch back"
        )


@activity.defn
async def take_back_from_target(request: TargetRequest) -> str:
    """Remove what was staged and is not published; says what was done."""
    return await heartbeating(_target(request).discard(), f"{request.target.label}: take back")


@activity.defn
async def withdraw_from_target(request: TargetRequest) -> TakenBack:
    """Take a published release from users as far as the target can. Can be repeated."""
    return await heartbeating(_target(request).withdraw(), f"{request.target.label}: withdraw")


def _target(request: TargetRequest) -> ReleaseTarget:
    settings = load_settings()
    match request.target.kind:
        case "github":
            return GithubTarget(request, settings)
        case "index":
            return IndexTarget(request, settings)
        case "http":
            return HttpTarget(request, settings)


async def _fetched(target: ReleaseTarget, request: TargetRequest, folder: Path) -> TargetReceipt:
    place = folder / "release"
    for name, file in target.files.items():
        path = place / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        await target.fetch(name, path)
        found = await asyncio.to_thread(_digest, path)
        if found != file.content.sha256:
            raise _invalid(
                f"{target.address}: {name} has sha256 {found}, not {file.content.sha256}"
            )
    if len(target.files) == len(request.files):
        signer, root = await trusted_by(request, folder)
        # It waits for cosign, once for each signature.
        report = await asyncio.to_thread(verify_release, place, signer, root=root)
        if not report.ok:
            raise _invalid(f"{target.address}: {report.summary}")
    return TargetReceipt(
        target=target.name,
        address=target.address,
        files=tuple(
            PublishedFile(name=name, sha256=file.content.sha256)
            for name, file in target.files.items()
        ),
        adopted=True,
    )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _invalid(message: str) -> ApplicationError:
    return ApplicationError(message, type="ReleaseInvalid", non_retryable=True)
