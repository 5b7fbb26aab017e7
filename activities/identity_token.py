"""The token that shows a certificate authority who signs: from a file, or from GitHub Actions.

It is short-lived, and so it is fetched for each signature. Whether it is good is the authority's to
say; here is seen what a person can mend.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import jwt

from activities.bounded_response import BoundedResponses
from activities.certificate_authority import certificate_unavailable
from regreen.settings import Settings

_AUDIENCE = "sigstore"
_SECONDS = 30.0
_ANSWER_BYTES = 1 << 20
_TOKEN_BYTES = 1 << 16


async def identity_token(settings: Settings) -> str:
    """The token in `REGREEN_IDENTITY_TOKEN_FILE`, or else the one of the job that this runs in.

    Raises ApplicationError `SigningIdentityUnavailable`, which is retried, when there is none, and
    when it has expired.
    """
    url = settings.fulcio_url or ""
    file = settings.identity_token_file
    if file is not None:
        token, source = _read(url, file), str(file)
    else:
        token, source = await _jobs_token(url, settings), "GitHub Actions"
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        raise certificate_unavailable(url, f"{source} has no token of an identity") from None
    expires = claims.get("exp")
    if isinstance(expires, int | float) and expires <= time.time():
        ago = f"expired {time.time() - expires:.0f} s ago"
        raise certificate_unavailable(
            url, f"renew the token in {source} and it goes on (the token {ago})"
        )
    return token


def _read(url: str, file: Path) -> str:
    try:
        with file.open(encoding="ascii") as opened:
            return opened.read(_TOKEN_BYTES).strip()
    except (OSError, ValueError) as error:
        # The error would tell what is no ASCII, which may be the secret.
        why = error.strerror if isinstance(error, OSError) else "no ASCII"
        raise certificate_unavailable(
            url,
            f"put a token where REGREEN_IDENTITY_TOKEN_FILE says and it goes on ({file}: {why})",
        ) from None


async def _jobs_token(url: str, settings: Settings) -> str:
    asked, secret = settings.actions_token_url, settings.actions_token
    if asked is None or secret is None:
        raise certificate_unavailable(
            url, "set REGREEN_IDENTITY_TOKEN_FILE, or give the job `permissions: id-token: write`"
        )
    hooks: dict[str, list[Callable[..., Any]]] = {"response": [BoundedResponses(_ANSWER_BYTES)]}
    headers = {
        "Authorization": f"bearer {secret.get_secret_value()}",
        "Accept": "application/json",
        "Accept-Encoding": "identity",
    }
    try:
        place = httpx2.URL(asked).copy_merge_params({"audience": _AUDIENCE})
        async with httpx2.AsyncClient(
            timeout=_SECONDS, headers=headers, event_hooks=hooks
        ) as client:
            answer = await client.get(place)
            if answer.status_code == 200:
                return str(answer.json()["value"])
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError, LookupError, TypeError) as error:
        raise certificate_unavailable(
            url, f"GitHub Actions gives no token ({type(error).__name__})"
        ) from None
    raise certificate_unavailable(
        url, f"GitHub Actions gives no token (it answered {answer.status_code})"
    )
