"""Asking cosign whether a signature or an attestation is good, offline, with either generation.

What a cosign understands is found in its help, since distributions build it without its version:
2.x has to be told that a bundle is of the new kind, 3.x knows no other.
"""

import json
import os
import re
import subprocess
from functools import lru_cache
from pathlib import Path
from typing import Any

from activities.bundle_form import form_problem
from activities.log_entry import bundled_certificate, entry_problem
from activities.temporary_folder import temporary_folder
from activities.timestamp_authority import timestamp_problem
from activities.trusted_root import (
    NO_SERVICES,
    TRUSTED_ROOT,
    TRUSTED_ROOT_FILE,
    TrustedServices,
    trusted_services,
)
from regreen.contracts.release import CertificateIdentity

SECONDS = 60.0
"""What one answer of cosign may take."""

Signer = Path | CertificateIdentity
"""Who must have signed: the file of a public key, or whom certificates are made out to."""

_BUNDLE_BYTES = 64 << 20


def refusal(
    cosign: Path, signer: Signer, bundle: Path, content: Path, root: Path | None = None
) -> str | None:
    """Why cosign does not accept `bundle` as the signature of `content`; None when it does.

    `root` is a trusted root: the signature must be in its transparency log, and have a time-stamp
    of its authority, where it names such a one. For an identity it must name the certificate
    authority; where it names neither log nor time-stamps, the certificate must hold now.
    """
    return _asked(cosign, ["verify-blob"], signer, bundle, content, root)


def attestation_refusal(
    cosign: Path, signer: Signer, bundle: Path, content: Path, kind: str, root: Path | None = None
) -> str | None:
    """Why cosign does not accept `bundle` as an attestation about `content`; None when it does.

    `kind` is the predicate's type, `root` as for `refusal`.
    """
    return _asked(
        cosign, ["verify-blob-attestation", "--type", kind], signer, bundle, content, root
    )


@lru_cache(maxsize=32)
def offers(cosign: Path, command: str, option: str) -> bool:
    """Whether this cosign's command has an option."""
    said = subprocess.run(
        [str(cosign), command, "--help"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    return f"{option}=".encode() in said.stdout + said.stderr


def environment(home: Path) -> dict[str, str]:
    """All that cosign gets to see: it keeps caches in its home, and takes services from here."""
    return {"HOME": str(home), "PATH": os.defpath, "LC_ALL": "C"}


def last_line(output: str) -> str:
    """The line in which cosign says what was wrong."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    line = lines[-1] if lines else "no message"
    line = line.removeprefix("error during command execution: ")
    # The name of a private file tells nobody anything.
    return re.sub(r"^signing \S+: ", "", line)[:300]


def _asked(
    cosign: Path, command: list[str], signer: Signer, bundle: Path, content: Path, root: Path | None
) -> str | None:
    try:
        with bundle.open("rb") as file:
            signature = json.loads(file.read(_BUNDLE_BYTES))
    except (OSError, ValueError, RecursionError):
        return "the bundle is not readable JSON"
    try:
        services = NO_SERVICES if root is None else trusted_services(root)
        problem = _missing(signer, signature, services)
    except ValueError as error:
        return str(error)
    if problem:
        return problem
    arguments = ["--bundle", str(bundle), *_signer_options(signer, services)]
    if not services.logs:
        arguments.append("--insecure-ignore-tlog=true")
    if services.authorities and offers(cosign, command[0], "--use-signed-timestamps"):
        arguments.append("--use-signed-timestamps")
    with temporary_folder() as private:
        if isinstance(signature, dict) and "mediaType" in signature:
            public_key = signer.read_bytes() if isinstance(signer, Path) else None
            if problem := form_problem(signature, public_key, content):
                return problem
            trusted = private / TRUSTED_ROOT_FILE
            empty = json.dumps(TRUSTED_ROOT).encode()
            trusted.write_bytes(empty if root is None else root.read_bytes())
            arguments += ["--trusted-root", str(trusted)]
            if offers(cosign, command[0], "--new-bundle-format"):
                arguments.append("--new-bundle-format")
        try:
            done = subprocess.run(
                [str(cosign), *command, *arguments, str(content)],
                env=environment(private),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"cosign gave no answer in {SECONDS:g} s"
    if done.returncode == 0:
        return None
    return last_line(done.stderr.decode("utf-8", "replace"))


def _signer_options(signer: Signer, services: TrustedServices) -> list[str]:
    if isinstance(signer, Path):
        return ["--key", str(signer)]
    options = ["--certificate-identity", signer.identity]
    options += ["--certificate-oidc-issuer", signer.issuer]
    if not services.certificate_logs:
        options.append("--insecure-ignore-sct=true")
    return options


def _missing(signer: Signer, bundle: Any, services: TrustedServices) -> str:
    """What a bundle must have and cosign does not ask for; empty when it is there.

    Raises ValueError for a bundle without the certificate that it must have.
    """
    if isinstance(signer, Path):
        verifier = signer.read_bytes()
    elif services.certificate_authorities:
        verifier = bundled_certificate(bundle)
    else:
        return "no certificate authority is known to check its certificate with"
    if services.logs and (problem := entry_problem(bundle, verifier)):
        return problem
    return timestamp_problem(bundle) if services.authorities else ""
