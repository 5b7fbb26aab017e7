"""An OpenID Connect identity provider on loopback: discovery, keys, and GitHub Actions' token.

Written after OpenID Connect Discovery 1.0 and RFC 7517 for what it publishes, and GitHub's
description of the two variables by which a workflow's job asks for its token.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from tests.doubles.loopback import LoopbackHandler, address_of, served

WORKFLOW = "example/shop/.github/workflows/release.yml@refs/heads/main"
"""The workflow that GitHub's tokens are about."""
_KEY = "double"


@dataclass
class IdentityProviderDouble:
    """A running provider. Tests have it sign tokens, and let its answers fail."""

    address: str = ""
    """The issuer."""
    key: rsa.RSAPrivateKey = field(
        default_factory=lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048)
    )
    fails: list[int] = field(default_factory=list)
    """Status codes; each is used up by one request for a job's token."""
    asked: list[str] = field(default_factory=list)
    """The audience of each request for a job's token."""
    request_token: str = "a job may ask with this"

    def token(self, *, minutes: float = 5, audience: str = "sigstore", **claims: Any) -> str:
        """A token, of a person unless `claims` say otherwise."""
        now = datetime.now(UTC)
        about = claims or {"sub": "release-1", "email": "release@example.org"}
        said = {
            "iss": self.address,
            "aud": audience,
            "iat": now - timedelta(hours=1),
            "exp": now + timedelta(minutes=minutes),
            "email_verified": True,
            **about,
        }
        return jwt.encode(said, self.key, algorithm="RS256", headers={"kid": _KEY})

    def jobs_token(self, audience: str) -> str:
        """What a job of GitHub Actions gets."""
        return self.token(
            audience=audience,
            sub="repo:example/shop:ref:refs/heads/main",
            job_workflow_ref=WORKFLOW,
        )


@contextmanager
def identity_provider() -> Iterator[IdentityProviderDouble]:
    """Serve a provider on a loopback port until the block ends."""
    double = IdentityProviderDouble()

    class Handler(LoopbackHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            authorized = self.headers.get("authorization") == f"bearer {double.request_token}"
            self._send(*_answer(double, url.path, parse_qs(url.query), authorized))

        def _send(self, status: int, body: Any) -> None:
            data = json.dumps(body).encode()
            self.reply(status, data, {"Content-Type": "application/json"})

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    double.address = address_of(server)
    with served(server):
        yield double


def _answer(
    double: IdentityProviderDouble, path: str, query: dict[str, list[str]], authorized: bool
) -> tuple[int, Any]:
    if path == "/.well-known/openid-configuration":
        return 200, {
            "issuer": double.address,
            "authorization_endpoint": f"{double.address}/authorize",
            "jwks_uri": f"{double.address}/keys",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }
    if path == "/keys":
        public = json.loads(RSAAlgorithm.to_jwk(double.key.public_key()))
        return 200, {"keys": [public | {"kid": _KEY, "use": "sig", "alg": "RS256"}]}
    if path == "/job-token":
        if double.fails:
            return double.fails.pop(0), {"message": "not now"}
        if not authorized:
            return 401, {"message": "the token of the request is not the job's"}
        [audience] = query.get("audience", ["https://github.com/example"])
        double.asked.append(audience)
        return 200, {"value": double.jobs_token(audience)}
    return 404, {"message": "no such path"}
