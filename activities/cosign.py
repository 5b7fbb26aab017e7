"""cosign: signatures and attestations over the files of a release.

Works offline with both generations of cosign: 2.x is told to leave the transparency log out and
to write the bundles that 3.x writes, 3.x is given a signing configuration and a trusted root that
name no service but the certificate authority, if there is one. Which cosign is there is found by
asking, since distributions build it without its version.
"""

import asyncio
import hashlib
import json
from pathlib import Path

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.artifact_store import get_file, put_bytes, put_file
from activities.cosign_check import (
    SECONDS,
    attestation_refusal,
    environment,
    last_line,
    offers,
    refusal,
)
from activities.keyless_signing import SigningIdentity, signing_identity
from activities.process import run_process
from activities.provenance import PROVENANCE_SUFFIX, PROVENANCE_TYPE, provenance
from activities.side_by_side import side_by_side
from activities.signature_services import (
    Check,
    SignatureServices,
    chosen_services,
    forget,
    keep,
    kept_bundle,
    witnessed,
)
from activities.signing_identity import IDENTITY_FILE, identity_document
from activities.signing_key import SigningKey, signing_key
from activities.syft import CYCLONEDX_SUFFIX, SPDX_SUFFIX
from activities.trusted_root import TRUSTED_ROOT_FILE
from activities.workspace import private_folder
from regreen.contracts.release import (
    Attestations,
    AttestRequest,
    ReleaseFile,
    SignedFiles,
    SignRequest,
)
from regreen.settings import load_settings
from regreen.tools.locate import find

COSIGN_MISSING = "cosign not found, `regreen tools install`"
BUNDLE_SUFFIX = ".bundle"
VERIFY_SCRIPT = "verify.sh"
"""Verifies the folder with nothing but cosign and sha256sum."""
ATTESTATIONS = {
    f"{PROVENANCE_SUFFIX}.sigstore.json": PROVENANCE_TYPE,
    f"{CYCLONEDX_SUFFIX}.sigstore.json": "https://cyclonedx.org/bom",
    f"{SPDX_SUFFIX}.sigstore.json": "https://spdx.dev/Document",
}
"""How the attestations about a file are called after it, and their predicate's type.

The types are given to cosign as they are: for its short names it rewrites the predicate.
"""

_Signing = SigningKey | SigningIdentity


@activity.defn
async def sign_files(request: SignRequest) -> SignedFiles:
    """Sign each file with the publisher's key, or by its identity, and verify it.

    The same bytes get the same signature again, although ECDSA would give another one each time:
    so a release that is made once more is the same to the byte. Without cosign nothing is signed
    and `skipped` says why; when `cosign` or `release` is required that is a non-retryable
    ApplicationError `ToolRequired`. Raises ApplicationError `SigningKeyUnavailable`, which is
    retried, when the key cannot be used now, and `SigningIdentityUnavailable`, which is too, when
    no certificate can be had now; and as `witnessed`.
    """
    cosign = find("cosign")
    if cosign is None:
        if {"cosign", "release"} & set(request.require):
            raise ApplicationError(
                f"{COSIGN_MISSING}; `require:` does not let a release go unsigned",
                type="ToolRequired",
                non_retryable=True,
            )
        return SignedFiles(bundles=(), public_key=None, skipped=COSIGN_MISSING)
    # Equal files have one signature.
    contents = {file.content.sha256: file for file in request.files}
    with private_folder() as folder:
        signer: _Signing | None = signing_identity(folder) if request.logged else None
        if signer is None:
            signer = await signing_key(cosign, folder)
        services = chosen_services() if request.logged else SignatureServices()
        kept = _kept(signer)
        works = []
        for number, (digest, file) in enumerate(contents.items(), start=1):
            own = folder / digest
            own.mkdir()
            subject = f"cosign: {file.path} ({number} of {len(contents)})"
            works.append(_signed(cosign, signer, services, own, file, kept, subject))
        signatures = dict(zip(contents, await side_by_side(works), strict=True))
        bundles = []
        for file in request.files:
            name = f"{file.path}{BUNDLE_SUFFIX}"
            bundle = signatures[file.content.sha256]
            content = await put_file(bundle, "application/json", name.rpartition("/")[2])
            bundles.append(ReleaseFile(path=name, content=content))
        root = None
        if services.root is not None:
            trusted = json.dumps(services.root, indent=1, sort_keys=True).encode()
            root = await put_bytes(TRUSTED_ROOT_FILE, trusted, "application/json")
        public, identity, identity_file = None, None, None
        if isinstance(signer, SigningKey):
            public = await put_file(signer.public, "application/x-pem-file")
        else:
            identity = signer.trusted
            document = identity_document(identity)
            identity_file = await put_bytes(IDENTITY_FILE, document, "text/plain")
    return SignedFiles(
        bundles=tuple(bundles),
        public_key=public,
        identity=identity,
        identity_file=identity_file,
        trusted_root=root,
    )


@activity.defn
async def attest_files(request: AttestRequest) -> Attestations:
    """Attest where each package comes from, and what its bills of materials list.

    The provenance is written here from what the workflow knows; nothing of it comes from the
    build. Equal requests get equal attestations. With them comes the script that verifies the
    folder without Regreen. Raises as `sign_files` does.
    """
    cosign = find("cosign")
    if cosign is None:
        # It was there when the files were signed; it will be again.
        raise ApplicationError(COSIGN_MISSING, type="ToolMissing")
    made = []
    with private_folder() as folder:
        signer = signing_identity(folder) or await signing_key(cosign, folder)
        services = chosen_services()
        for package in request.packages:
            content = folder / package.content.sha256
            await get_file(package.content, content)
            for suffix, kind in ATTESTATIONS.items():
                predicate = folder / f"{package.content.sha256}{suffix}"
                if suffix.startswith(PROVENANCE_SUFFIX):
                    predicate.write_text(json.dumps(provenance(request), sort_keys=True))
                else:
                    bill = request.bill_of(package, suffix.removesuffix(".sigstore.json"))
                    if bill is None:
                        continue
                    await get_file(bill.content, predicate)
                path = f"{package.path}{suffix}"
                bundle = await _attested(
                    cosign, signer, services, folder, content, predicate, kind, path
                )
                stored = await put_file(bundle, "application/json", path)
                made.append(ReleaseFile(path=path, content=stored))
    script = Path(__file__).with_name(VERIFY_SCRIPT)
    stored = await put_file(script, "text/x-shellscript", VERIFY_SCRIPT)
    made.append(ReleaseFile(path=VERIFY_SCRIPT, content=stored))
    return Attestations(files=tuple(made))


def _kept(signer: _Signing) -> Path:
    kept = load_settings().state.resolve() / "signatures" / signer.digest[:32]
    kept.mkdir(parents=True, exist_ok=True)
    return kept


async def _signed(
    cosign: Path,
    signer: _Signing,
    services: SignatureServices,
    folder: Path,
    file: ReleaseFile,
    kept: Path,
    subject: str,
) -> Path:
    content = folder / "content"
    await get_file(file.content, content)
    bundle = kept / f"{file.content.sha256}{BUNDLE_SUFFIX}"

    def check(made: Path, root: Path | None = None) -> str | None:
        return refusal(cosign, signer.trusted, made, content, root or signer.root)

    command = ["sign-blob"]
    return await _once(cosign, signer, services, folder, command, content, bundle, check, subject)


async def _attested(
    cosign: Path,
    signer: _Signing,
    services: SignatureServices,
    folder: Path,
    content: Path,
    predicate: Path,
    kind: str,
    path: str,
) -> Path:
    about = f"{kind}\n{_digest(content)}\n{_digest(predicate)}"
    bundle = _kept(signer) / f"{hashlib.sha256(about.encode()).hexdigest()}.attestation"

    def check(made: Path, root: Path | None = None) -> str | None:
        return attestation_refusal(cosign, signer.trusted, made, content, kind, root or signer.root)

    command = ["attest-blob", "--type", kind, "--predicate", str(predicate)]
    subject = f"cosign: {path}"
    return await _once(cosign, signer, services, folder, command, content, bundle, check, subject)


async def _once(
    cosign: Path,
    signer: _Signing,
    services: SignatureServices,
    folder: Path,
    command: list[str],
    content: Path,
    bundle: Path,
    check: Check,
    subject: str,
) -> Path:
    """The signature that is kept with all that the services say; made where there is none."""
    if activity.in_activity():
        activity.heartbeat(subject)
    if (kept := await kept_bundle(services, folder, bundle, check)) is not None:
        return kept
    lasts = signer.lasts(bundle)
    if not lasts:
        forget(bundle)
    if not lasts or await asyncio.to_thread(check, bundle, None) is not None:
        await _make(cosign, signer, folder, command, content, bundle, check, subject)
    public = signer.public if isinstance(signer, SigningKey) else None
    return await witnessed(services, public, folder, bundle, check, subject)


async def _make(
    cosign: Path,
    signer: _Signing,
    folder: Path,
    command: list[str],
    content: Path,
    bundle: Path,
    check: Check,
    subject: str,
) -> None:
    """Have cosign write `bundle`, which appears only when it is complete and accepted."""
    made = folder / "made.bundle"
    made.unlink(missing_ok=True)
    configured = await asyncio.to_thread(offers, cosign, command[0], "--signing-config")
    options, known = await signer.access(folder, configured=configured)
    done = await run_process(
        [str(cosign), *command, "--yes", *options, "--bundle", str(made), str(content)],
        output=folder / "output",
        timeout=SECONDS,
        subject=subject,
        env=environment(folder) | known,
        cwd=folder,
    )
    if done.code != 0:
        raise signer.unusable(last_line(done.tail()), subject)
    if (problem := await asyncio.to_thread(check, made, None)) is not None:
        raise signer.refused(f"fresh signature refused: {problem}", subject)
    keep(made, bundle)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
