"""ReleaseWorkflow: sign, tag, draft, publish, verify, as a saga.

Publishing is the pivot. Until then whatever fails, and a cancellation, takes back what was done,
last step first. From then on the release only goes forwards.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from typing import Any, TypeVar

from pydantic import ValidationError
from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.cosign import PUBLIC_KEY, sign_files
    from activities.git_tag import create_tag, delete_tag
    from activities.release_folder import (
        SUMS,
        discard_draft,
        draft_release_folder,
        publish_release_folder,
        write_checksums,
    )
    from activities.release_verification import verify_published_release
    from activities.versioning import NOTES
    from regreen.contracts.base import Contract
    from regreen.contracts.publishing import PublishedParts, TargetRequest
    from regreen.contracts.release import (
        ChecksumRequest,
        FolderRequest,
        PublishedRelease,
        ReleaseFile,
        ReleaseRequest,
        SignedFiles,
        SignRequest,
        TagRequest,
    )
    from regreen.contracts.run import Release
    from regreen.roles import Role, task_queue
    from workflows import release_targets

_RETRY = RetryPolicy(
    initial_interval=timedelta(milliseconds=500),
    backoff_coefficient=2.0,
    maximum_interval=timedelta(seconds=10),
)
_STEPS = ("sign", "tag", "draft", "publish", "verify")

Argument = TypeVar("Argument", bound=Contract)
Result = TypeVar("Result")


@workflow.defn
class ReleaseWorkflow:
    """Publish what was built, once. Returns the release; raises the step's error otherwise."""

    def __init__(self) -> None:
        self._states: dict[str, str] = dict.fromkeys(_STEPS, "")
        self._published: PublishedParts | None = None
        self._undo: list[tuple[str, Callable[[], Coroutine[Any, Any, str]]]] = []

    @workflow.query(description="What users see of the release; null before it is published.")
    def published(self) -> PublishedParts | None:
        return self._published

    @workflow.run
    async def run(self, request: ReleaseRequest) -> Release:
        """Release `request.files` under the plan's version and tag."""
        self._show(request)
        try:
            files, signed = await self._sign(request)
            tag = await self._tag(request)
            folder = FolderRequest(
                run=request.run,
                repository=request.workspace.source.repository,
                version=request.plan.version,
                files=files,
            )
            await self._draft(request, folder)
            targets = release_targets.target_requests(request, files, signed)
            await self._stage(request, targets)
            # A cancellation that arrived while a step was ending does not interrupt it.
            if workflow.cancellation_reason() is not None:
                raise asyncio.CancelledError
            directory = await _uninterrupted(self._publish(request, folder))
            self._published = PublishedParts(tag=tag, folder=folder, targets=targets)
        except BaseException:
            await self._compensate(request)
            raise
        receipts = await _uninterrupted(release_targets.publish(targets))
        await _uninterrupted(self._verify(request, directory, signed))
        await _uninterrupted(release_targets.verify(targets))
        return Release(
            version=request.plan.version,
            directory=directory,
            tag=request.plan.tag,
            unsigned=signed.skipped,
            receipts=receipts,
        )

    async def _sign(self, request: ReleaseRequest) -> tuple[tuple[ReleaseFile, ...], SignedFiles]:
        files = _released_files(request)
        signed = await self._signatures(request, files)
        files += signed.bundles
        if signed.public_key is not None:
            files += (ReleaseFile(path=PUBLIC_KEY, content=signed.public_key),)
        sums = await _call(
            write_checksums,
            ChecksumRequest(files=files),
            summary=f"SHA256SUMS: {len(files)} files",
        )
        sums_file = ReleaseFile(path=SUMS, content=sums)
        over_sums = (
            () if signed.skipped else (await self._signatures(request, (sums_file,))).bundles
        )
        count = len(signed.bundles) + len(over_sums)
        self._states["sign"] = signed.skipped or f"{count} signatures"
        self._show(request)
        return (*files, sums_file, *over_sums), signed

    async def _signatures(
        self, request: ReleaseRequest, files: tuple[ReleaseFile, ...]
    ) -> SignedFiles:
        what = files[0].path if len(files) == 1 else f"{len(files)} files"
        return await _call(
            sign_files,
            SignRequest(files=files, require=request.require),
            summary=f"cosign: sign {what}",
        )

    async def _tag(self, request: ReleaseRequest) -> TagRequest:
        tag = TagRequest(
            location=request.workspace.source.location,
            name=request.plan.tag,
            commit=request.commit,
            message=f"{request.plan.tag}\n\nReleased by {request.run}",
            tagged_at=request.tagged_at,
        )

        async def delete() -> str:
            summary = f"git: take back tag {tag.name}"
            deleted = await _call(delete_tag, tag, summary=summary)
            return "taken back" if deleted else "not made"

        self._undo.append(("tag", delete))
        receipt = await _call(create_tag, tag, summary=f"git: tag {tag.name} at {tag.commit[:12]}")
        self._states["tag"] = f"{tag.name}{' was there' if receipt.adopted else ''}"
        self._show(request)
        return tag

    async def _draft(self, request: ReleaseRequest, folder: FolderRequest) -> None:
        async def discard() -> str:
            summary = f"release folder: discard draft of {folder.version}"
            gone = await _call(discard_draft, folder, summary=summary)
            return "discarded" if gone else "not made"

        self._undo.append(("draft", discard))
        summary = f"release folder: draft {folder.version}, {len(folder.files)} files"
        await _call(draft_release_folder, folder, summary=summary)
        self._states["draft"] = f"{len(folder.files)} files"
        self._show(request)

    async def _stage(self, request: ReleaseRequest, targets: tuple[TargetRequest, ...]) -> None:
        for target in targets:

            async def take_back(target: TargetRequest = target) -> str:
                return await release_targets.take_back(target)

            self._undo.append((target.target.label, take_back))
            self._states[target.target.label] = await release_targets.stage(target)
            self._show(request)

    async def _publish(self, request: ReleaseRequest, folder: FolderRequest) -> str:
        receipt = await _call(
            publish_release_folder,
            folder,
            summary=f"release folder: publish {folder.version}",
        )
        adopted = " was there, same bytes" if receipt.adopted else ""
        self._states["publish"] = f"{receipt.directory}{adopted}"
        self._show(request)
        return receipt.directory

    async def _verify(self, request: ReleaseRequest, directory: str, signed: SignedFiles) -> None:
        report = await _call(
            verify_published_release,
            PublishedRelease(directory=directory, public_key=signed.public_key),
            summary=f"verify: {directory}",
        )
        self._states["verify"] = report.summary
        self._show(request)

    async def _compensate(self, request: ReleaseRequest) -> None:
        for name, undo in reversed(self._undo):
            try:
                self._states[name] = await _uninterrupted(undo())
            except ActivityError as error:
                # The other steps are still to be taken back, and the first error is the news.
                self._states[name] = f"NOT taken back: {error.cause or error}"
                workflow.logger.error("release: %s not taken back: %s", name, error.cause)
            self._show(request)

    def _show(self, request: ReleaseRequest) -> None:
        rows = "\n".join(f"| {name} | {state or '…'} |" for name, state in self._states.items())
        workflow.set_current_details(
            f"**{request.plan.tag}** of `{request.workspace.source.repository}` "
            f"at `{request.commit[:12]}`\n\n| step | state |\n| --- | --- |\n{rows}"
        )


def _released_files(request: ReleaseRequest) -> tuple[ReleaseFile, ...]:
    """What is released, before signatures: packages, bills of materials, notes, heal patches."""
    files = [(ref.name, ref) for ref in request.files]
    files.append((NOTES, request.plan.notes))
    files += [
        (f"patches/{number:04d}.patch", patch)
        for number, patch in enumerate(request.workspace.patches, start=1)
    ]
    try:
        return tuple(ReleaseFile(path=path, content=content) for path, content in files)
    except ValidationError as error:
        name = error.errors()[0]["input"]
        raise ApplicationError(
            f"{name!r} cannot be a file's name in a release",
            type="ReleaseRefused",
            non_retryable=True,
        ) from error


async def _uninterrupted(step: Coroutine[Any, Any, Result]) -> Result:
    """Await a step to its end, whatever is cancelled meanwhile."""
    task = asyncio.ensure_future(step)
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise
    return task.result()


async def _call(
    activity: Callable[[Argument], Awaitable[Result]], argument: Argument, *, summary: str
) -> Result:
    return await workflow.execute_activity(
        activity,
        argument,
        task_queue=task_queue("publisher"),
        start_to_close_timeout=timedelta(minutes=10),
        heartbeat_timeout=timedelta(seconds=10),
        # Without a limit: a release waits for its key, its disk or its repository to come back.
        retry_policy=_RETRY,
        cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        summary=summary,
    )


ACTIVITIES: dict[Role, list[object]] = {
    "publisher": [
        sign_files,
        write_checksums,
        create_tag,
        delete_tag,
        draft_release_folder,
        publish_release_folder,
        discard_draft,
        verify_published_release,
        *release_targets.ACTIVITIES,
    ]
}
"""Activities that the release needs, by the role whose workers run them."""
