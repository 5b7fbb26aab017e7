"""A transparency log of the operator's choice (Rekor, API v1), in which signatures are entered.

Without one everything stays offline. An entry cannot be taken back, and so each signature is made
once, kept, and entered once: the log answers 409 to what it holds already, and that is adopted.
"""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)
from temporalio.exceptions import ApplicationError

from activities.bounded_response import BoundedResponses
from activities.log_entry import (
    bundled_certificate,
    bundled_entry,
    entry_problem,
    proposed_entry,
    with_entry,
)
from regreen.settings import load_settings

_SECONDS = 30.0
_ANSWER_BYTES = 4 << 20
_UUID = re.compile(r"/([0-9a-f]{64,80})$")


@dataclass(frozen=True)
class TransparencyLog:
    """A log and the key that its promises are signed with."""

    url: str
    public_key: bytes
    """In DER."""
    details: str
    """Kind of the key, as sigstore_common.proto names it."""

    @property
    def identity(self) -> str:
        """SHA-256 of the key in hexadecimal digits, by which entries name their log."""
        return hashlib.sha256(self.public_key).hexdigest()


def chosen_log() -> TransparencyLog | None:
    """The log that `REGREEN_REKOR_URL` and `REGREEN_REKOR_KEY` name; None when there is none.

    Raises ApplicationError `LogUnavailable`, which is retried, when its key cannot be read.
    """
    settings = load_settings()
    if settings.rekor_url is None:
        return None
    if settings.rekor_key is None:
        raise _unavailable(settings.rekor_url, "REGREEN_REKOR_KEY is not set")
    try:
        public, details = log_key(settings.rekor_key)
    except ValueError as error:
        raise _unavailable(settings.rekor_url, f"REGREEN_REKOR_KEY: {error}") from error
    return TransparencyLog(settings.rekor_url.rstrip("/"), public, details)


def log_key(path: Path) -> tuple[bytes, str]:
    """The public key of a log in a PEM file: in DER, and its kind as sigstore_common.proto has it.

    Raises ValueError in one line for a file without such a key.
    """
    try:
        key = load_pem_public_key(path.read_bytes())
    except OSError as error:
        raise ValueError(str(error)) from error
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        details = "PKIX_ECDSA_P256_SHA_256"
    elif isinstance(key, ed25519.Ed25519PublicKey):
        details = "PKIX_ED25519"
    else:
        raise ValueError("no P-256 or Ed25519 key")
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo), details


async def enter(log: TransparencyLog, bundle: Path, public_key: Path | None) -> dict[str, Any]:
    """Enter a bundle's signature in the log, or find it there; returns the bundle with its entry.

    Without `public_key` it is the bundle's own certificate that verifies the signature. Raises
    ApplicationError `LogUnavailable`, which is retried, when the log does not answer, and
    non-retryable `LogRefused` when it does not take the signature or answers with another's entry.
    """
    content = json.loads(bundle.read_bytes())
    verifier = bundled_certificate(content) if public_key is None else public_key.read_bytes()
    answer = await _entered(log, proposed_entry(content, verifier))
    try:
        made = with_entry(content, bundled_entry(answer))
        problem = entry_problem(made, verifier)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _unavailable(log.url, "its answer is no entry") from error
    if problem:
        raise _refused(log.url, problem)
    return made


async def _entered(log: TransparencyLog, entry: dict[str, Any]) -> dict[str, Any]:
    responses = BoundedResponses(_ANSWER_BYTES)
    hooks: dict[str, list[Callable[..., Any]]] = {"response": [responses]}
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    entries = f"{log.url}/api/v1/log/entries"
    try:
        async with httpx2.AsyncClient(
            timeout=_SECONDS, headers=headers, event_hooks=hooks
        ) as client:
            answer = await client.post(entries, json=entry)
            if answer.status_code == 409:
                known = _UUID.search(answer.headers.get("location", ""))
                if known is None:
                    raise _refused(log.url, "it has the entry and does not say where")
                answer = await client.get(f"{entries}/{known[1]}")
            said = answer.text[:200]
            if answer.status_code in (200, 201):
                found: dict[str, Any] = answer.json()
                return found
    except (httpx2.HTTPError, ValueError) as error:
        raise _unavailable(log.url, type(error).__name__) from error
    if answer.status_code in (400, 413, 422):
        raise _refused(log.url, f"{answer.status_code} {said}")
    raise _unavailable(log.url, f"it answered {answer.status_code}")


def _unavailable(url: str, problem: str) -> ApplicationError:
    return ApplicationError(
        f"the release waits for the transparency log {url}: {problem}", type="LogUnavailable"
    )


def _refused(url: str, problem: str) -> ApplicationError:
    return ApplicationError(
        f"the transparency log {url} does not take the signature: {problem}",
        type="LogRefused",
        non_retryable=True,
    )
