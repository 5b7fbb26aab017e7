"""The first step of a release: what is in it, signed, attested and listed."""

from pydantic import ValidationError
from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.cosign import attest_files, sign_files
    from activities.release_checklist import CHECKLIST, write_checklist
    from activities.release_folder import SUMS, write_checksums
    from activities.release_notes import NOTES
    from activities.signing_identity import IDENTITY_FILE
    from activities.signing_key import PUBLIC_KEY
    from activities.syft import CYCLONEDX_SUFFIX, SPDX_SUFFIX
    from activities.trusted_root import TRUSTED_ROOT_FILE
    from regreen.checklist import with_signatures
    from regreen.contracts.artifacts import ArtifactRef
    from regreen.contracts.checklist import Checklist
    from regreen.contracts.release import (
        AttestRequest,
        ChecksumRequest,
        ReleaseFile,
        ReleaseRequest,
        SignedFiles,
        SignRequest,
    )
    from regreen.contracts.waivers import ReleasedWaivers
    from workflows import release_waivers
    from workflows.release_calls import call_publisher


async def sign(
    request: ReleaseRequest,
) -> tuple[tuple[ReleaseFile, ...], SignedFiles, ReleasedWaivers | None]:
    """Every file of the release folder, what was signed, and what it tells of waivers.

    Raises ApplicationErrors: `ReleaseRefused` for a name that no file can have, `ChecklistUnmet`
    for a checklist with an item that is not met, once it is known what is signed.
    """
    files = _released_files([(ref.name, ref) for ref in request.files])
    bills = tuple(file for file in files if file.path.endswith((CYCLONEDX_SUFFIX, SPDX_SUFFIX)))
    packages = tuple(file for file in files if file not in bills)
    waivers = await release_waivers.tell(request, packages)
    release_waivers.check(waivers)
    files += _released_files([(NOTES, request.plan.notes), *_patches(request)])
    files += () if waivers is None else (waivers.file,)
    signed = await _signatures(request, files)
    checklist = with_signatures(request.checklist, (*packages, *bills), signed)
    if checklist.incomplete:
        raise ApplicationError(checklist.incomplete, type="ChecklistUnmet", non_retryable=True)
    written = await call_publisher(
        write_checklist, checklist, summary=f"checklist: {len(checklist.items)} items"
    )
    told = ReleaseFile(path=CHECKLIST, content=written)
    files += (*signed.bundles, told)
    if not signed.skipped:
        files += (await _signatures(request, (told,))).bundles
        files += await _attestations(request, packages, bills, checklist, told)
        files += signer_files(signed)
    sums = await call_publisher(
        write_checksums, ChecksumRequest(files=files), summary=f"SHA256SUMS: {len(files)} files"
    )
    listed = ReleaseFile(path=SUMS, content=sums)
    over_sums = () if signed.skipped else (await _signatures(request, (listed,))).bundles
    return (*files, listed, *over_sums), signed, waivers


def signer_files(signed: SignedFiles) -> tuple[ReleaseFile, ...]:
    """What says who signed, and by whose word: for those who verify."""
    found = (
        (PUBLIC_KEY, signed.public_key),
        (IDENTITY_FILE, signed.identity_file),
        (TRUSTED_ROOT_FILE, signed.trusted_root),
    )
    return tuple(
        ReleaseFile(path=path, content=content) for path, content in found if content is not None
    )


async def _signatures(request: ReleaseRequest, files: tuple[ReleaseFile, ...]) -> SignedFiles:
    what = files[0].path if len(files) == 1 else f"{len(files)} files"
    return await call_publisher(
        sign_files,
        SignRequest(files=files, require=request.require),
        summary=f"cosign: sign {what}",
    )


async def _attestations(
    request: ReleaseRequest,
    packages: tuple[ReleaseFile, ...],
    bills: tuple[ReleaseFile, ...],
    checklist: Checklist,
    told: ReleaseFile,
) -> tuple[ReleaseFile, ...]:
    attested = await call_publisher(
        attest_files,
        AttestRequest(
            run=request.run,
            workspace=request.workspace,
            plan=request.plan,
            commit=request.commit,
            pipeline=request.pipeline,
            heals=request.heals,
            approvals=request.approvals,
            packages=packages,
            bills=bills,
            checklist=checklist,
            checklist_file=told.content,
        ),
        summary=f"cosign: attest provenance of {len(packages)} packages",
    )
    return attested.files


def _patches(request: ReleaseRequest) -> list[tuple[str, ArtifactRef]]:
    numbered = enumerate(request.workspace.patches, start=1)
    return [(f"patches/{number:04d}.patch", patch) for number, patch in numbered]


def _released_files(files: list[tuple[str, ArtifactRef]]) -> tuple[ReleaseFile, ...]:
    try:
        return tuple(ReleaseFile(path=path, content=content) for path, content in files)
    except ValidationError as error:
        name = error.errors()[0]["input"]
        raise ApplicationError(
            f"{name!r} cannot be a file's name in a release",
            type="ReleaseRefused",
            non_retryable=True,
        ) from error
