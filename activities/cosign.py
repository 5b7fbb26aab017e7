"""cosign: signatures and attestations over the files of a release.

Works offline with both generations of cosign: 2.x is told to leave the transparency log out and
to write the bundles that 3.x writes, 3.x is given a signing configuration and a trusted root that
are empty. Which one is there is found by asking, since distributions build it without its version.
"""

import asyncio
import hashlib
import json
from collections.abc import Callable
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
from activities.process import run_process
from activities.provenance import PROVENANCE_SUFFIX, PROVENANCE_TYPE, provenance
from activities.side_by_side import side_by_side
from activities.signature_services import SignatureServices, chosen_services, keep, witnessed
from activities.signing_key import SigningKey, signing_key, unusable
from activities.syft import CYCLONEDX_SUFFIX, SPDX_SUFFIX
from activities.trusted_root import TRUSTED_ROOT, TRUSTED_ROOT_FILE
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

_SIGNING_CONFIG = {
    "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
    "rekorTlogConfig": {},
    "tsaConfig": {},
}


@activity.defn
async def sign_files(request: SignRequest) -> SignedFiles:
    """Sign each file with the publisher's key and verify it.

    The same bytes get the same signature again, although ECDSA would give another one each time:
    so a release that is made once more is the same to the byte. Without cosign nothing is signed
    and `skipped` says why; when `cosign` or `release` is required that is a non-retryable
    ApplicationError `ToolRequired`. Raises ApplicationError `SigningKeyUnavailable`, which is
    retried, when the key cannot be used now.
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
        key = await signing_key(cosign, folder)
        services = chosen_services() if request.logged else SignatureServices()
        kept = _kept(key)
        works = []
        for number, (digest, file) in enumerate(contents.items(), start=1):
            own = folder / digest
            own.mkdir()
            subject = f"cosign: {file.path} ({number} of {len(contents)})"
            works.append(_signed(cosign, key, services, own, file, kept, subject))
        signatures = dict(zip(contents, await side_by_side(works), strict=True))
        bundles = []
        for file in request.files:
            name = f"{file.path}{BUNDLE_SUFFIX}"
            bundle = signatures[file.content.sha256]
            content = await put_file(bundle, "application/json", name.rpartition("/")[2])
            bundles.append(ReleaseFile(path=name, content=content))
        public = await put_file(key.public, "application/x-pem-file")
        root = None
        if services.root is not None:
            trusted = json.dumps(services.root, indent=1, sort_keys=True).encode()
            root = await put_bytes(TRUSTED_ROOT_FILE, trusted, "application/json")
    return SignedFiles(bundles=tuple(bundles), public_key=public, trusted_root=root)


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
        key = await signing_key(cosign, folder)
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
                    cosign, key, services, folder, content, predicate, kind, path
                )
                stored = await put_file(bundle, "application/json", path)
                made.append(ReleaseFile(path=path, content=stored))
    script = Path(__file__).with_name(VERIFY_SCRIPT)
    stored = await put_file(script, "text/x-shellscript", VERIFY_SCRIPT)
    made.append(ReleaseFile(path=VERIFY_SCRIPT, content=stored))
    return Attestations(files=tuple(made))


def _kept(key: SigningKey) -> Path:
    kept = load_settings().state.resolve() / "signatures" / _digest(key.public)[:32]
    kept.mkdir(parents=True, exist_ok=True)
    return kept


async def _signed(
    cosign: Path,
    key: SigningKey,
    services: SignatureServices,
    folder: Path,
    file: ReleaseFile,
    kept: Path,
    subject: str,
) -> Path:
    if activity.in_activity():
        activity.heartbeat(subject)
    content = folder / "content"
    await get_file(file.content, content)
    bundle = kept / f"{file.content.sha256}{BUNDLE_SUFFIX}"

    def check(made: Path, root: Path | None = None) -> str | None:
        return refusal(cosign, key.public, made, content, root)

    if await asyncio.to_thread(check, bundle) is not None:
        await _make(cosign, key, folder, ["sign-blob"], content, bundle, check, subject)
    return await witnessed(services, key.public, folder, bundle, check, subject)


async def _attested(
    cosign: Path,
    key: SigningKey,
    services: SignatureServices,
    folder: Path,
    content: Path,
    predicate: Path,
    kind: str,
    path: str,
) -> Path:
    subject = f"cosign: {path}"
    if activity.in_activity():
        activity.heartbeat(subject)
    about = f"{kind}\n{_digest(content)}\n{_digest(predicate)}"
    bundle = _kept(key) / f"{hashlib.sha256(about.encode()).hexdigest()}.attestation"

    def check(made: Path, root: Path | None = None) -> str | None:
        return attestation_refusal(cosign, key.public, made, content, kind, root)

    if await asyncio.to_thread(check, bundle) is not None:
        command = ["attest-blob", "--type", kind, "--predicate", str(predicate)]
        await _make(cosign, key, folder, command, content, bundle, check, subject)
    return await witnessed(services, key.public, folder, bundle, check, subject)


async def _make(
    cosign: Path,
    key: SigningKey,
    folder: Path,
    command: list[str],
    content: Path,
    bundle: Path,
    check: Callable[[Path], str | None],
    subject: str,
) -> None:
    """Have cosign write `bundle`, which appears only when it is complete and accepted."""
    made = folder / "made.bundle"
    made.unlink(missing_ok=True)
    if await asyncio.to_thread(offers, cosign, command[0], "--signing-config"):
        config, root = folder / "signing-config.json", folder / "trusted-root.json"
        config.write_text(json.dumps(_SIGNING_CONFIG))
        root.write_text(json.dumps(TRUSTED_ROOT))
        offline = ["--signing-config", str(config), "--trusted-root", str(root)]
    else:
        offline = ["--tlog-upload=false", "--new-bundle-format"]
    done = await run_process(
        [str(cosign), *command, "--yes", "--key", key.reference, *offline]
        + ["--bundle", str(made), str(content)],
        output=folder / "output",
        timeout=SECONDS,
        subject=subject,
        env=environment(folder) | key.secrets,
        cwd=folder,
    )
    if done.code != 0:
        raise unusable(key, last_line(done.tail()), subject)
    if (problem := await asyncio.to_thread(check, made)) is not None:
        raise ApplicationError(f"{subject}: fresh signature refused: {problem}", type="SignFailed")
    keep(made, bundle)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
