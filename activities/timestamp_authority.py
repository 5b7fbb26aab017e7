"""A time-stamp authority of the operator's choice (RFC 3161), which says when a signature existed.

The request is DER of a fixed form. Whether an answer is good, and about the signature, is cosign's
to say.
"""

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from cryptography.hazmat.primitives.serialization import Encoding
from temporalio.exceptions import ApplicationError

from activities.bounded_response import BoundedResponses
from activities.certificate_chain import certificate_chain, organization_and_name
from regreen.settings import load_settings

_SECONDS = 30.0
_ANSWER_BYTES = 1 << 20
# RFC 3161, 2.4.1: TimeStampReq of version 1 with a SHA-256 digest, which follows, and `certReq`.
_BEFORE_DIGEST = bytes.fromhex("30390201013031300d060960864801650304020105000420")
_AFTER_DIGEST = bytes.fromhex("0101ff")
_GRANTED = (0, 1)


@dataclass(frozen=True)
class TimestampAuthority:
    """An authority and the certificates that its time-stamps are checked with."""

    url: str
    certificates: tuple[bytes, ...]
    """In DER: its own first, its root last."""
    organization: str
    name: str

    @property
    def identity(self) -> str:
        """SHA-256 of its certificates in hexadecimal digits."""
        return hashlib.sha256(b"".join(self.certificates)).hexdigest()


def chosen_authority() -> TimestampAuthority | None:
    """The one that `REGREEN_TIMESTAMP_URL` and `REGREEN_TIMESTAMP_CERTIFICATES` name, or None.

    Raises ApplicationError `TimestampUnavailable`, which is retried, when the certificates cannot
    be read or are no chain.
    """
    settings = load_settings()
    url, path = settings.timestamp_url, settings.timestamp_certificates
    if url is None:
        return None
    if path is None:
        raise _unavailable(url, "REGREEN_TIMESTAMP_CERTIFICATES is not set")
    try:
        chain = certificate_chain(path)
    except ValueError as error:
        raise _unavailable(url, f"REGREEN_TIMESTAMP_CERTIFICATES: {error}") from error
    organization, name = organization_and_name(chain[0])
    return TimestampAuthority(
        url=url,
        certificates=tuple(each.public_bytes(Encoding.DER) for each in chain),
        organization=organization,
        name=name,
    )


async def stamp(authority: TimestampAuthority, bundle: Path) -> dict[str, Any]:
    """Have a bundle's signature time-stamped; returns the bundle with the time-stamp.

    Raises ApplicationError `TimestampUnavailable`, which is retried, when the authority does not
    answer, and non-retryable `TimestampRefused` when it does not take the request.
    """
    content: dict[str, Any] = json.loads(bundle.read_bytes())
    digest = hashlib.sha256(_signature(content)).digest()
    answer = await _answer(authority, _BEFORE_DIGEST + digest + _AFTER_DIGEST)
    status = _status(answer)
    if status is None:
        raise _unavailable(authority.url, "its answer is no time-stamp")
    if status not in _GRANTED:
        raise _refused(authority.url, f"status {status} of RFC 3161")
    stamped = {"signedTimestamp": base64.b64encode(answer).decode()}
    material = content["verificationMaterial"]
    stamps = {"timestampVerificationData": {"rfc3161Timestamps": [stamped]}}
    return content | {"verificationMaterial": material | stamps}


def timestamp_problem(bundle: Any) -> str:
    """Why a bundle has no time-stamp that could be checked; empty when it has one."""
    try:
        data = bundle["verificationMaterial"]["timestampVerificationData"]
        if data["rfc3161Timestamps"][0]["signedTimestamp"]:
            return ""
    except (LookupError, TypeError):
        pass
    return "its time-stamp is missing"


def _signature(bundle: dict[str, Any]) -> bytes:
    if "messageSignature" in bundle:
        return base64.b64decode(bundle["messageSignature"]["signature"])
    [signed] = bundle["dsseEnvelope"]["signatures"]
    return base64.b64decode(signed["sig"])


async def _answer(authority: TimestampAuthority, request: bytes) -> bytes:
    hooks: dict[str, list[Callable[..., Any]]] = {"response": [BoundedResponses(_ANSWER_BYTES)]}
    headers = {"Content-Type": "application/timestamp-query", "Accept-Encoding": "identity"}
    try:
        async with httpx2.AsyncClient(
            timeout=_SECONDS, headers=headers, event_hooks=hooks
        ) as client:
            answer = await client.post(authority.url, content=request)
            content = answer.content
    except (httpx2.HTTPError, ValueError) as error:
        raise _unavailable(authority.url, type(error).__name__) from error
    if answer.status_code in (400, 413, 415, 422):
        raise _refused(authority.url, f"it answered {answer.status_code}")
    if answer.status_code not in (200, 201):
        raise _unavailable(authority.url, f"it answered {answer.status_code}")
    return content


def _status(answer: bytes) -> int | None:
    """PKIStatus of a TimeStampResp (RFC 3161, 2.4.2), its first number; None for other bytes."""
    try:
        number = _inside(_inside(answer, 0x30), 0x30)
        return int.from_bytes(_inside(number, 0x02), "big")
    except (ValueError, IndexError):
        return None


def _inside(der: bytes, tag: int) -> bytes:
    """The content of the DER value at the beginning, which must have this tag."""
    if der[0] != tag:
        raise ValueError("another tag")
    length, start = der[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(der[2:start], "big")
    content = der[start : start + length]
    if not content or len(content) != length:
        raise ValueError("too short")
    return content


def _unavailable(url: str, problem: str) -> ApplicationError:
    return ApplicationError(
        f"the release waits for the time-stamp authority {url}: {problem}",
        type="TimestampUnavailable",
    )


def _refused(url: str, problem: str) -> ApplicationError:
    return ApplicationError(
        f"the time-stamp authority {url} does not stamp the signature: {problem}",
        type="TimestampRefused",
        non_retryable=True,
    )
