"""Whether a delivery comes from somebody who knows a secret, judged on the raw body.

Several secrets count at the same time, so that one can be replaced without losing deliveries.
Every comparison takes the same time wherever the difference is.

- GitHub: docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries
- GitLab: signing tokens follow github.com/standard-webhooks/standard-webhooks (spec), the older
  secret token is docs.gitlab.com/user/project/integrations/webhooks
- Bitbucket Cloud: support.atlassian.com/bitbucket-cloud/docs/manage-webhooks
- Azure: learn.microsoft.com/azure/devops/service-hooks/services/webhooks
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence

TOLERANCE = 300.0
"""Seconds by which a signed time may differ from ours."""

_STANDARD_PREFIX = "whsec_"
_MOST_SIGNATURES = 10


class Unverified(Exception):
    """The delivery is nobody's who knows a secret. The message is the reason, for the log."""


def verify_github(headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> None:
    """Check `X-Hub-Signature-256`. The SHA-1 of `X-Hub-Signature` is not looked at.

    `headers` has lower-case names. Raises Unverified.
    """
    given = headers.get("x-hub-signature-256")
    if given is None:
        sha1 = "x-hub-signature" in headers
        raise Unverified("only a SHA-1 signature" if sha1 else "no signature")
    _check_hex(given, body, secrets)


def verify_bitbucket(headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> None:
    """Check `X-Hub-Signature`, which has to be a SHA-256 here. Raises Unverified."""
    given = headers.get("x-hub-signature")
    if given is None:
        raise Unverified("no signature")
    _check_hex(given, body, secrets)


def verify_gitlab(
    headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: float
) -> None:
    """Check the signature of a signing token, or else the secret token in `X-Gitlab-Token`.

    A delivery with a signature has to pass that check. `now` is in seconds since the epoch.
    Raises Unverified.
    """
    if "webhook-signature" in headers:
        _check_standard(headers, body, secrets, now)
        return
    given = headers.get("x-gitlab-token")
    if given is None:
        raise Unverified("neither a signature nor a token")
    # A signing token is never sent, so that nothing that is sent can be one.
    _check_same(given, [each for each in secrets if not each.startswith(_STANDARD_PREFIX)])


def verify_azure(headers: Mapping[str, str], secrets: Sequence[str]) -> None:
    """Check the password of basic authentication, or else the header `X-Regreen-Secret`.

    A secret `USER:PASSWORD` has to be matched with its user. Raises Unverified.
    """
    authorization = headers.get("authorization")
    if authorization is None:
        given = headers.get("x-regreen-secret")
        if given is None:
            raise Unverified("neither basic authentication nor X-Regreen-Secret")
        _check_same(given, secrets)
        return
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        raise Unverified("the authentication is not basic")
    pair = _decoded(encoded.strip()).decode("utf-8", "replace")
    password = pair.partition(":")[2]
    whole = [each for each in secrets if ":" in each]
    alone = [each for each in secrets if ":" not in each]
    if not (_is_any(pair, whole) | _is_any(password, alone)):
        raise Unverified("the password is another")


def _check_hex(given: str, body: bytes, secrets: Sequence[str]) -> None:
    algorithm, _, digest = given.partition("=")
    if algorithm != "sha256":
        raise Unverified("the signature is not a SHA-256")
    expected = [hmac.new(each.encode(), body, hashlib.sha256).hexdigest() for each in secrets]
    if not _is_any(digest, expected):
        raise Unverified("the signature is another")


def _check_standard(
    headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: float
) -> None:
    identity, moment = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not identity:
        raise Unverified("no webhook-id")
    if not (moment.isascii() and moment.isdigit() and len(moment) <= 12):
        raise Unverified("webhook-timestamp is no time")
    if abs(now - int(moment)) > TOLERANCE:
        raise Unverified("webhook-timestamp is outside of five minutes")
    signed = f"{identity}.{moment}.".encode() + body
    keys = [_signing_key(each) for each in secrets if each.startswith(_STANDARD_PREFIX)]
    expected = [
        base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode() for key in keys
    ]
    given = headers["webhook-signature"].split(" ")[:_MOST_SIGNATURES]
    versions = [each.partition(",") for each in given]
    # No short cut: every signature is compared with every key.
    found = [_is_any(value, expected) for version, _, value in versions if version == "v1"]
    if not any(found):
        raise Unverified("the signature is another")


def _signing_key(secret: str) -> bytes:
    return _decoded(secret.removeprefix(_STANDARD_PREFIX))


def check_secret(secret: str) -> None:
    """Raise ValueError for a signing token that cannot be one."""
    if secret.startswith(_STANDARD_PREFIX):
        try:
            key = _signing_key(secret)
        except Unverified:
            key = b""
        if not key:
            raise ValueError(f"what follows {_STANDARD_PREFIX} is not base64")


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Unverified("not base64") from error


def _check_same(given: str, secrets: Sequence[str]) -> None:
    if not _is_any(given, secrets):
        raise Unverified("the token is another")


def _is_any(given: str, expected: Sequence[str]) -> bool:
    # As bytes, since text is compared in constant time only where it is ASCII.
    found = False
    for each in expected:
        found |= hmac.compare_digest(given.encode("utf-8", "replace"), each.encode())
    return found
