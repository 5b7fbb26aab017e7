"""Asking cosign whether a signature or an attestation is good, offline, with either generation.

What a cosign understands is found in its help, since distributions build it without its version:
2.x has to be told that a bundle is of the new kind, 3.x knows no other.
"""

import json
import os
import subprocess
from functools import lru_cache
from pathlib import Path

from activities.log_entry import entry_problem
from activities.temporary_folder import temporary_folder
from activities.timestamp_authority import timestamp_problem
from activities.trusted_root import (
    NO_SERVICES,
    TRUSTED_ROOT,
    TRUSTED_ROOT_FILE,
    trusted_services,
)

SECONDS = 60.0
"""What one answer of cosign may take."""

_BUNDLE_BYTES = 64 << 20


def refusal(
    cosign: Path, key: Path, bundle: Path, content: Path, root: Path | None = None
) -> str | None:
    """Why cosign does not accept `bundle` as the signature of `content`; None when it does.

    `root` is a trusted root: the signature must be in its transparency log, and have a time-stamp
    of its authority, where it names such a one.
    """
    return _asked(cosign, ["verify-blob"], key, bundle, content, root)


def attestation_refusal(
    cosign: Path, key: Path, bundle: Path, content: Path, kind: str, root: Path | None = None
) -> str | None:
    """Why cosign does not accept `bundle` as an attestation about `content`; None when it does.

    `kind` is the predicate's type, `root` as for `refusal`.
    """
    return _asked(cosign, ["verify-blob-attestation", "--type", kind], key, bundle, content, root)


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
    return line.removeprefix("error during command execution: ")[:300]


def _asked(
    cosign: Path, command: list[str], key: Path, bundle: Path, content: Path, root: Path | None
) -> str | None:
    try:
        with bundle.open("rb") as file:
            signature = json.loads(file.read(_BUNDLE_BYTES))
    except (OSError, ValueError, RecursionError):
        return "the bundle is not readable JSON"
    try:
        services = NO_SERVICES if root is None else trusted_services(root)
    except ValueError as error:
        return str(error)
    with temporary_folder() as private:
        arguments = ["--key", str(key), "--bundle", str(bundle)]
        if not services.logs:
            arguments.append("--insecure-ignore-tlog=true")
        elif problem := entry_problem(signature, key.read_bytes()):
            return problem
        if services.authorities:
            if problem := timestamp_problem(signature):
                return problem
            if offers(cosign, command[0], "--use-signed-timestamps"):
                arguments.append("--use-signed-timestamps")
        if isinstance(signature, dict) and "mediaType" in signature:
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
