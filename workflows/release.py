"""ReleaseWorkflow: sign, tag, draft, publish, verify, as a saga.

Publishing is the pivot. Until then whatever fails, and a cancellation, takes back what was done,
last step first. From then on the release only goes forwards.
"""

from collections.abc import Callable, Coroutine
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.cosign import attest_files, sign_files
    from activities.git_tag import create_tag, delete_tag
    from activities.release_checklist import write_checklist
    from activities.release_folder import (
        discard_draft,
        draft_release_folder,
        publish_release_folder,
        write_checksums,
    )
    from activities.release_verification import verify_published_release
    from activities.release_waivers import write_waivers
    from regreen.contracts.publishing import PublishedParts, TargetRequest
    from regreen.contracts.release import (
        FolderReceipt,
        FolderRequest,
        PublishedRelease,
        ReleaseFile,
        ReleaseRequest,
        SignedFiles,
        TagRequest,
    )
    from regreen.contracts.run import Release
    from regreen.contracts.waivers import ReleasedWaivers
    from regreen.roles import Role
    from workflows import release_targets, release_waivers
    from workflows.calls import uninterrupted
    from workflows.release_calls import call_publisher
    from workflows.release_signing import sign

_STEPS = ("sign", "tag", "draft", "publish", "verify")


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
            files, signed, waivers = await self._sign(request)
            tag = await self._tag(request, signed)
            folder = FolderRequest(
                run=request.run,
                repository=request.workspace.source.repository,
                version=request.plan.version,
                files=files,
            )
            await self._draft(request, folder)
            targets = release_targets.target_requests(request, files, signed)
            await self._stage(request, targets)
            release_waivers.check(waivers)
            folder_receipt = await uninterrupted(self._publish(request, folder))
            directory = folder_receipt.directory
            self._published = PublishedParts(tag=tag, folder=folder, targets=targets)
        except BaseException:
            await self._compensate(request)
            raise
        receipts = await uninterrupted(release_targets.publish(targets))
        await uninterrupted(self._verify(request, directory, signed))
        await uninterrupted(release_targets.verify(targets))
        return Release(
            version=request.plan.version,
            directory=directory,
            tag=request.plan.tag,
            unsigned=signed.skipped,
            sums=folder_receipt.sums,
            public_key=signed.public_key.sha256 if signed.public_key else "",
            identity=str(signed.identity) if signed.identity else "",
            receipts=receipts,
        )

    async def _sign(
        self, request: ReleaseRequest
    ) -> tuple[tuple[ReleaseFile, ...], SignedFiles, ReleasedWaivers | None]:
        files, signed, waivers = await sign(request)
        self._states["sign"] = signed.skipped or f"{len(files)} files, signed and attested"
        self._show(request)
        return files, signed, waivers

    async def _tag(self, request: ReleaseRequest, signed: SignedFiles) -> TagRequest:
        tag = TagRequest(
            location=request.workspace.source.location,
            name=request.plan.tag,
            commit=request.commit,
            message=_tag_message(request, signed),
            tagged_at=request.tagged_at,
        )

        async def delete() -> str:
            summary = f"git: take back tag {tag.name}"
            deleted = await call_publisher(delete_tag, tag, summary=summary)
            return "taken back" if deleted else "not made"

        self._undo.append(("tag", delete))
        receipt = await call_publisher(
            create_tag, tag, summary=f"git: tag {tag.name} at {tag.commit[:12]}"
        )
        self._states["tag"] = f"{tag.name}{' was there' if receipt.adopted else ''}"
        self._show(request)
        return tag

    async def _draft(self, request: ReleaseRequest, folder: FolderRequest) -> None:
        async def discard() -> str:
            summary = f"release folder: discard draft of {folder.version}"
            gone = await call_publisher(discard_draft, folder, summary=summary)
            return "discarded" if gone else "not made"

        self._undo.append(("draft", discard))
        summary = f"release folder: draft {folder.version}, {len(folder.files)} files"
        await call_publisher(draft_release_folder, folder, summary=summary)
        self._states["draft"] = f"{len(folder.files)} files"
        self._show(request)

    async def _stage(self, request: ReleaseRequest, targets: tuple[TargetRequest, ...]) -> None:
        for target in targets:

            async def take_back(target: TargetRequest = target) -> str:
                return await release_targets.take_back(target)

            self._undo.append((target.target.label, take_back))
            self._states[target.target.label] = await release_targets.stage(target)
            self._show(request)

    async def _publish(self, request: ReleaseRequest, folder: FolderRequest) -> FolderReceipt:
        receipt = await call_publisher(
            publish_release_folder,
            folder,
            summary=f"release folder: publish {folder.version}",
        )
        adopted = " was there, same bytes" if receipt.adopted else ""
        self._states["publish"] = f"{receipt.directory}{adopted}"
        self._show(request)
        return receipt

    async def _verify(self, request: ReleaseRequest, directory: str, signed: SignedFiles) -> None:
        report = await call_publisher(
            verify_published_release,
            PublishedRelease(
                directory=directory,
                public_key=signed.public_key,
                identity=signed.identity,
                trusted_root=signed.trusted_root,
            ),
            summary=f"verify: {directory}",
        )
        self._states["verify"] = report.summary
        self._show(request)

    async def _compensate(self, request: ReleaseRequest) -> None:
        for name, undo in reversed(self._undo):
            try:
                self._states[name] = await uninterrupted(undo())
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


def _tag_message(request: ReleaseRequest, signed: SignedFiles) -> str:
    """What the tag says; with who signed, as `regreen verify` takes it."""
    message = f"{request.plan.tag}\n\nReleased by {request.run}"
    if signed.public_key is not None:
        message += f"\nSigning key SHA-256: {signed.public_key.sha256}"
    if signed.identity is not None:
        message += f"\nSigned by: {signed.identity.identity}"
        message += f"\nIdentity provider: {signed.identity.issuer}"
    return message


ACTIVITIES: dict[Role, list[object]] = {
    "publisher": [
        sign_files,
        attest_files,
        write_checklist,
        write_checksums,
        write_waivers,
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
