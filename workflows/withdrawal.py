"""WithdrawalWorkflow: take back what was published, last step first, as far as each place can."""

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.cosign import sign_files
    from activities.git_tag import delete_tag
    from activities.publishing import withdraw_from_target
    from activities.withdrawal import withdraw_release_folder, write_withdrawal
    from regreen.contracts.publishing import (
        TargetRequest,
        Withdrawal,
        WithdrawalRecord,
        WithdrawnFolder,
        WithdrawRequest,
    )
    from regreen.contracts.receipts import TakenBack
    from regreen.contracts.release import ReleaseFile, SignRequest, TagRequest
    from regreen.roles import Role
    from workflows.failures import one_line
    from workflows.release_calls import call_publisher
    from workflows.release_signing import signer_files


@workflow.defn
class WithdrawalWorkflow:
    """Take a release back and leave a signed record of it. Goes only forwards."""

    @workflow.run
    async def run(self, request: WithdrawRequest) -> Withdrawal:
        """Withdraw the release; what cannot be taken back is told, not hidden."""
        parts = request.parts
        taken = [await self._target(target) for target in reversed(parts.targets)]
        taken.append(await self._tag(parts.tag))
        directory = await call_publisher(
            withdraw_release_folder,
            WithdrawnFolder(folder=parts.folder, statements=await self._statements(request, taken)),
            summary=f"release folder: move {parts.folder.version} aside",
        )
        taken.append(TakenBack(target="folder", done=f"moved to {directory}"))
        return Withdrawal(
            version=parts.folder.version,
            tag=parts.tag.name,
            taken=tuple(taken),
            directory=directory,
        )

    async def _target(self, target: TargetRequest) -> TakenBack:
        label = target.target.label
        try:
            return await call_publisher(
                withdraw_from_target, target, summary=f"{label}: withdraw {target.tag}"
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            # What one place refuses must not keep the release in the others.
            return TakenBack(target=label, done=f"NOT withdrawn: {one_line(error)}", left=(label,))

    async def _tag(self, tag: TagRequest) -> TakenBack:
        try:
            deleted = await call_publisher(
                delete_tag, tag, summary=f"git: take back tag {tag.name}"
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            # A repository that is gone must not keep the release where users find it.
            return TakenBack(target="tag", done=f"NOT deleted: {one_line(error)}", left=(tag.name,))
        kept = "not this release's own, kept"
        return TakenBack(target="tag", done="deleted" if deleted else kept)

    async def _statements(
        self, request: WithdrawRequest, taken: list[TakenBack]
    ) -> tuple[ReleaseFile, ...]:
        statements = await call_publisher(
            write_withdrawal,
            WithdrawalRecord(request=request, taken=tuple(taken)),
            summary=f"record of the withdrawal of {request.parts.folder.version}",
        )
        signed = await call_publisher(
            sign_files,
            SignRequest(files=statements),
            summary=f"cosign: sign {len(statements)} statements",
        )
        return (*statements, *signed.bundles, *signer_files(signed))


ACTIVITIES: dict[Role, list[object]] = {
    "publisher": [
        withdraw_from_target,
        delete_tag,
        write_withdrawal,
        sign_files,
        withdraw_release_folder,
    ]
}
"""Activities that a withdrawal needs, by the role whose workers run them."""
