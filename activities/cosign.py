"""cosign: signatures over the files of a release, with a key that only the publisher reads.

Works offline with both generations of cosign: 2.x is told to leave the transparency log out, 3.x
is given a signing configuration and a trusted root that are empty. Which one is there is found by
asking, since distributions build cosign without its version.
"""

import asyncio
import hashlib
import json
import os
import secrets
import shutil
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.artifact_store import get_file, put_file
from activities.process import run_process
from activities.side_by_side import side_by_side
from activities.workspace import private_folder
from regreen.contracts.release import ReleaseFile, SignedFiles, SignRequest
from regreen.settings import load_settings
from regreen.tools.locate import find

COSIGN_MISSING = "cosign not found, `regreen tools install`"
BUNDLE_SUFFIX = ".bundle"
PUBLIC_KEY = "cosign.pub"

_PRIVATE_KEY = "cosign.key"
_PASSWORD = "password"
_SECONDS = 60.0
_SIGNING_CONFIG = {
    "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
    "rekorTlogConfig": {},
    "tsaConfig": {},
}
_TRUSTED_ROOT = {"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1"}


@activity.defn
async def sign_files(request: SignRequest) -> SignedFiles:
    """Sign each file with the publisher's key, which is made at the first need, and verify it.

    The same bytes get the same signature again, although ECDSA would give another one each time:
    so a release that is made once more is the same to the byte. Without cosign nothing is signed
    and `skipped` says why; when `cosign` or `release` is required that is a non-retryable
    ApplicationError `ToolRequired`.
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
    key = await signing_key(cosign)
    kept = load_settings().state.resolve() / "signatures" / _digest(key / PUBLIC_KEY)[:32]
    kept.mkdir(parents=True, exist_ok=True)
    # Equal files have one signature.
    contents = {file.content.sha256: file for file in request.files}
    with private_folder() as folder:
        works = []
        for number, (digest, file) in enumerate(contents.items(), start=1):
            own = folder / digest
            own.mkdir()
            subject = f"cosign: {file.path} ({number} of {len(contents)})"
            works.append(_signed(cosign, key, own, file, kept, subject))
        signatures = dict(zip(contents, await side_by_side(works), strict=True))
    bundles = []
    for file in request.files:
        name = f"{file.path}{BUNDLE_SUFFIX}"
        bundle = signatures[file.content.sha256]
        content = await put_file(bundle, "application/json", name.rpartition("/")[2])
        bundles.append(ReleaseFile(path=name, content=content))
    public = await put_file(key / PUBLIC_KEY, "application/x-pem-file")
    return SignedFiles(bundles=tuple(bundles), public_key=public)


async def signing_key(cosign: Path) -> Path:
    """The folder with the publisher's key pair and its password, made once in the state folder.

    Folders are readable by this user only, and so are their files. The pair appears complete or
    not at all, and of several processes that make one at the same time all get the first.
    """
    keys = load_settings().state.resolve() / "keys"
    folder = keys / "release"
    if not folder.is_dir():
        keys.mkdir(parents=True, exist_ok=True, mode=0o700)
        keys.chmod(0o700)
        made = Path(tempfile.mkdtemp(prefix=".new-", dir=keys))
        try:
            await _generate(cosign, made)
            made.rename(folder)
        except OSError:
            # Another process may have been first; then its pair is the one.
            if not folder.is_dir():
                raise
        finally:
            shutil.rmtree(made, ignore_errors=True)
    return folder


def refusal(cosign: Path, key: Path, bundle: Path, content: Path) -> str | None:
    """Why cosign does not accept `bundle` as the signature of `content`; None when it does."""
    try:
        # A bundle of a few hundred bytes is what signing writes; more is not worth parsing.
        with bundle.open("rb") as file:
            signature = json.loads(file.read(1 << 20))
    except (OSError, ValueError, RecursionError):
        return "the bundle is not readable JSON"
    with tempfile.TemporaryDirectory(prefix="regreen-cosign-") as private:
        arguments = ["--key", str(key), "--bundle", str(bundle), "--insecure-ignore-tlog=true"]
        if isinstance(signature, dict) and "mediaType" in signature:
            root = Path(private) / "trusted-root.json"
            root.write_text(json.dumps(_TRUSTED_ROOT))
            arguments += ["--trusted-root", str(root)]
        try:
            done = subprocess.run(
                [str(cosign), "verify-blob", *arguments, str(content)],
                env=_environment(Path(private)),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"cosign gave no answer in {_SECONDS:g} s"
    if done.returncode == 0:
        return None
    return _last_line(done.stderr.decode("utf-8", "replace"))


async def _generate(cosign: Path, folder: Path) -> None:
    password = secrets.token_urlsafe(32)
    await _run(
        [str(cosign), "generate-key-pair", "--output-key-prefix", str(folder / "cosign")],
        folder,
        "cosign: making the key pair",
        password,
    )
    (folder / "output").unlink()
    (folder / _PASSWORD).write_text(password)
    for path in folder.iterdir():
        path.chmod(0o600)
        with path.open("rb") as file:
            os.fsync(file.fileno())


async def _signed(
    cosign: Path, key: Path, folder: Path, file: ReleaseFile, kept: Path, subject: str
) -> Path:
    if activity.in_activity():
        activity.heartbeat(subject)
    await get_file(file.content, folder / "content")
    bundle = kept / f"{file.content.sha256}{BUNDLE_SUFFIX}"
    check = (cosign, key / PUBLIC_KEY, bundle, folder / "content")
    if await asyncio.to_thread(refusal, *check) is not None:
        await _sign(cosign, key, folder, bundle, subject)
    return bundle


async def _sign(cosign: Path, key: Path, folder: Path, bundle: Path, subject: str) -> None:
    made = folder / "made.bundle"
    made.unlink(missing_ok=True)
    if await asyncio.to_thread(_has_signing_config, cosign):
        config, root = folder / "signing-config.json", folder / "trusted-root.json"
        config.write_text(json.dumps(_SIGNING_CONFIG))
        root.write_text(json.dumps(_TRUSTED_ROOT))
        offline = ["--signing-config", str(config), "--trusted-root", str(root)]
    else:
        offline = ["--tlog-upload=false"]
    await _run(
        [str(cosign), "sign-blob", "--yes", "--key", str(key / _PRIVATE_KEY), *offline]
        + ["--bundle", str(made), str(folder / "content")],
        folder,
        subject,
        (key / _PASSWORD).read_text(),
    )
    check = (cosign, key / PUBLIC_KEY, made, folder / "content")
    if (problem := await asyncio.to_thread(refusal, *check)) is not None:
        raise ApplicationError(f"{subject}: fresh signature refused: {problem}", type="SignFailed")
    staged = bundle.with_name(f".{secrets.token_hex(8)}")
    shutil.copyfile(made, staged)
    staged.replace(bundle)


async def _run(arguments: list[str], folder: Path, subject: str, password: str) -> None:
    done = await run_process(
        arguments,
        output=folder / "output",
        timeout=_SECONDS,
        subject=subject,
        env=_environment(folder) | {"COSIGN_PASSWORD": password},
        cwd=folder,
    )
    if done.code != 0:
        raise ApplicationError(f"{subject}: {_last_line(done.tail())}", type="SignFailed")


@lru_cache(maxsize=4)
def _has_signing_config(cosign: Path) -> bool:
    said = subprocess.run(
        [str(cosign), "sign-blob", "--help"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=_SECONDS,
        check=False,
    )
    return b"--signing-config" in said.stdout + said.stderr


def _environment(home: Path) -> dict[str, str]:
    # cosign keeps caches in its home, and takes keys and services from its environment.
    return {"HOME": str(home), "PATH": os.defpath, "LC_ALL": "C"}


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _last_line(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    line = lines[-1] if lines else "no message"
    return line.removeprefix("error during command execution: ")[:300]
