"""The publisher's signing key: a file of its own, one that the operator chose, or one in a vault.

The key in a vault (OpenBao or Vault, engine `transit`) never leaves it: cosign asks the program
`sigstore-kms-hashivault`, which comes with Regreen, to have a digest signed there.
"""

import hashlib
import os
import secrets
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from temporalio.exceptions import ApplicationError

from activities.cosign_check import SECONDS, environment, last_line
from activities.process import run_process
from activities.signing_options import service_options
from regreen.settings import load_settings

PUBLIC_KEY = "cosign.pub"
VAULT = "hashivault://"

_PRIVATE_KEY = "cosign.key"
_PASSWORD = "password"


@dataclass(frozen=True)
class SigningKey:
    """What cosign is told to sign with, and the public key that verifies it."""

    reference: str
    """cosign's `--key`: a path, or `hashivault://NAME`."""
    public: Path
    secrets: dict[str, str] = field(repr=False)
    """What cosign needs beside it, for its environment and nothing else."""
    root: None = None
    """A key needs no service to be trusted."""

    @property
    def trusted(self) -> Path:
        """What its signatures are verified with."""
        return self.public

    @property
    def digest(self) -> str:
        """SHA-256 of the public key in hexadecimal digits."""
        return hashlib.sha256(self.public.read_bytes()).hexdigest()

    async def access(self, folder: Path, *, configured: bool) -> tuple[list[str], dict[str, str]]:
        """cosign's options for one signature, and what goes into its environment."""
        options = service_options(folder, None, configured=configured)
        return ["--key", self.reference, *options], self.secrets

    def lasts(self, bundle: Path) -> bool:
        """Whether a signature that was kept can still be used."""
        return bundle.is_file()

    def unusable(self, problem: str, subject: str) -> ApplicationError:
        """The error for a signature that was not made; with a vault's key it says what to do."""
        if self.reference.startswith(VAULT):
            return _unavailable(self.reference, problem)
        return self.refused(problem, subject)

    def refused(self, problem: str, subject: str) -> ApplicationError:
        """The error for a signature that was made and is not good."""
        return ApplicationError(f"{subject}: {problem}", type="SignFailed")


async def signing_key(cosign: Path, folder: Path) -> SigningKey:
    """The key that `REGREEN_SIGNING_KEY` names; without it the publisher's own.

    `folder` is private and receives the public key of a key that is not the publisher's own.
    Raises ApplicationError `SigningKeyUnavailable`, which may pass and is worth a retry, when the
    key cannot be used now.
    """
    chosen = load_settings().signing_key
    if chosen is None:
        own = await own_key(cosign)
        password = {"COSIGN_PASSWORD": (own / _PASSWORD).read_text()}
        return SigningKey(str(own / _PRIVATE_KEY), own / PUBLIC_KEY, password)
    if chosen.startswith(VAULT):
        known = _vault_access()
    else:
        if not Path(chosen).is_file():
            raise _unavailable(chosen, "no such file")
        known = {"COSIGN_PASSWORD": os.environ.get("COSIGN_PASSWORD", "")}
    public = folder / PUBLIC_KEY
    done = await run_process(
        [str(cosign), "public-key", "--key", chosen, "--outfile", str(public)],
        output=folder / "public-key.output",
        timeout=SECONDS,
        subject=f"cosign: public key of {chosen}",
        env=environment(folder) | known,
        cwd=folder,
    )
    if done.code != 0:
        raise _unavailable(chosen, last_line(done.tail()))
    return SigningKey(chosen, public, known)


async def own_key(cosign: Path) -> Path:
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


def _vault_access() -> dict[str, str]:
    # The token's file is read at each attempt, so that a renewed token ends the wait.
    known = {name: os.environ[name] for name in ("VAULT_ADDR", "VAULT_TOKEN") if name in os.environ}
    file = os.environ.get("VAULT_TOKEN_FILE")
    if file:
        try:
            known["VAULT_TOKEN"] = Path(file).read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            raise _unavailable("VAULT_TOKEN_FILE", f"{file} cannot be read: {error}") from error
    mount = os.environ.get("TRANSIT_SECRET_ENGINE_PATH")
    if mount:
        known["TRANSIT_SECRET_ENGINE_PATH"] = mount
    return known | {"PATH": os.pathsep.join([str(Path(sys.prefix) / "bin"), os.defpath])}


def _unavailable(key: str, problem: str) -> ApplicationError:
    way_out = "renew the token in VAULT_TOKEN_FILE" if VAULT in key else "mend it"
    return ApplicationError(
        f"the release waits for its signing key {key}: {way_out} and it goes on ({problem})",
        type="SigningKeyUnavailable",
    )


async def _generate(cosign: Path, folder: Path) -> None:
    password = secrets.token_urlsafe(32)
    done = await run_process(
        [str(cosign), "generate-key-pair", "--output-key-prefix", str(folder / "cosign")],
        output=folder / "output",
        timeout=SECONDS,
        subject="cosign: making the key pair",
        env=environment(folder) | {"COSIGN_PASSWORD": password},
        cwd=folder,
    )
    if done.code != 0:
        raise ApplicationError(
            f"cosign: making the key pair: {last_line(done.tail())}", type="SignFailed"
        )
    (folder / "output").unlink()
    (folder / _PASSWORD).write_text(password)
    for path in folder.iterdir():
        path.chmod(0o600)
        with path.open("rb") as file:
            os.fsync(file.fileno())
