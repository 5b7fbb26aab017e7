"""Signing without a key: cosign makes one for each signature, and forgets it.

What shows who signed is a certificate that Fulcio makes out for minutes to whom a token names.
"""

import hashlib
import json
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)
from temporalio.exceptions import ApplicationError

from activities.certificate_authority import (
    CertificateAuthority,
    certificate_unavailable,
    chosen_certificate_authority,
)
from activities.identity_token import identity_token
from activities.log_entry import bundled_certificate
from activities.signing_options import service_options
from activities.trusted_root import trusted_root
from regreen.contracts.release import CertificateIdentity
from regreen.settings import load_settings

_TOKEN = "identity.token"
_LOG_KEY = "ct.pub"
_SPARE = timedelta(minutes=2)
"""How long a certificate must still hold for its signature to be entered and stamped in time."""
_REFUSED = re.compile(r"returned 40[013]\b")


@dataclass(frozen=True)
class SigningIdentity:
    """Signs with certificates of an authority that are made out to an identity."""

    trusted: CertificateIdentity
    authority: CertificateAuthority
    root: Path
    """A trusted root that knows the authority and no other service."""

    @property
    def digest(self) -> str:
        """What the same signer has again, and no other: 64 hexadecimal digits."""
        named = json.dumps([self.authority.identity, self.trusted.identity, self.trusted.issuer])
        return hashlib.sha256(named.encode()).hexdigest()

    async def access(self, folder: Path, *, configured: bool) -> tuple[list[str], dict[str, str]]:
        """cosign's options for one signature, and what goes into its environment.

        The token is read now and lies in `folder`, which is private. Raises as `identity_token`.
        """
        token = folder / _TOKEN
        _write_secret(token, await identity_token(load_settings()))
        options = ["--identity-token", str(token)]
        options += service_options(folder, self.authority, configured=configured)
        if configured or self.authority.log_key is None:
            return options, {}
        log_key = folder / _LOG_KEY
        public = load_der_public_key(self.authority.log_key)
        log_key.write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
        return options, {"SIGSTORE_CT_LOG_PUBLIC_KEY_FILE": str(log_key)}

    def lasts(self, bundle: Path) -> bool:
        """Whether a signature can still be entered and stamped while its certificate holds."""
        try:
            pem = bundled_certificate(json.loads(bundle.read_bytes()))
        except (OSError, ValueError):
            return False
        certificate = x509.load_pem_x509_certificate(pem)
        return datetime.now(UTC) + _SPARE < certificate.not_valid_after_utc

    def unusable(self, problem: str, subject: str) -> ApplicationError:
        """The error for a signature that was not made, which says what to do."""
        if _REFUSED.search(problem):
            way_out = "renew the identity's token and it goes on"
        else:
            way_out = "when it answers it goes on"
        return certificate_unavailable(self.authority.url, f"{way_out} ({problem})")

    def refused(self, problem: str, subject: str) -> ApplicationError:
        """The error for a signature that was made and is not good, mostly for its certificate."""
        return certificate_unavailable(
            self.authority.url,
            f"give it a token of {self.trusted.identity}, and see that REGREEN_FULCIO_CERTIFICATES "
            f"and REGREEN_CT_LOG_KEY are its own ({problem})",
        )


def signing_identity(folder: Path) -> SigningIdentity | None:
    """Whom the settings have sign without a key; None when they have a key sign.

    `folder` is private. Raises ApplicationError `SigningIdentityUnavailable`, which is retried,
    when the authority's certificates cannot be read.
    """
    authority, settings = chosen_certificate_authority(), load_settings()
    named, issuer = settings.certificate_identity, settings.certificate_oidc_issuer
    if authority is None or named is None or issuer is None:
        return None
    root = folder / "authority-root.json"
    root.write_text(json.dumps(trusted_root(None, None, authority)))
    return SigningIdentity(CertificateIdentity(identity=named, issuer=issuer), authority, root)


def _write_secret(path: Path, secret: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secret)
