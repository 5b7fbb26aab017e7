"""A certificate authority of the operator's choice (Fulcio), which says who signs.

Its certificates are made out to the identity that a token names, and hold for minutes only. Asking
for one is cosign's to do; here is which authority it asks, and what shows that it was that one.
"""

import hashlib
from dataclasses import dataclass

from cryptography.hazmat.primitives.serialization import Encoding
from temporalio.exceptions import ApplicationError

from activities.certificate_chain import certificate_chain, organization_and_name
from activities.transparency_log import log_key
from regreen.settings import load_settings


@dataclass(frozen=True)
class CertificateAuthority:
    """An authority, and what its certificates are checked with."""

    url: str
    certificates: tuple[bytes, ...]
    """In DER: its own first, its root last."""
    organization: str
    name: str
    log_key: bytes | None = None
    """Public key, in DER, of the certificate transparency log whose word is in its certificates."""
    log_details: str = ""
    """Kind of that key, as sigstore_common.proto names it."""

    @property
    def identity(self) -> str:
        """SHA-256 of its certificates and the log's key, in hexadecimal digits."""
        return hashlib.sha256(b"".join([*self.certificates, self.log_key or b""])).hexdigest()


def chosen_certificate_authority() -> CertificateAuthority | None:
    """The one that `REGREEN_FULCIO_URL` and `REGREEN_FULCIO_CERTIFICATES` name, or None.

    With `REGREEN_CT_LOG_KEY` each certificate needs the word of that log. Raises ApplicationError
    `SigningIdentityUnavailable`, which is retried, when a file cannot be read.
    """
    settings = load_settings()
    url, path = settings.fulcio_url, settings.fulcio_certificates
    if url is None or path is None:
        return None
    try:
        chain = certificate_chain(path)
    except ValueError as error:
        raise certificate_unavailable(url, f"mend REGREEN_FULCIO_CERTIFICATES: {error}") from error
    public, details = None, ""
    if settings.ct_log_key is not None:
        try:
            public, details = log_key(settings.ct_log_key)
        except ValueError as error:
            raise certificate_unavailable(url, f"mend REGREEN_CT_LOG_KEY: {error}") from error
    organization, name = organization_and_name(chain[0])
    return CertificateAuthority(
        url=url.rstrip("/"),
        certificates=tuple(each.public_bytes(Encoding.DER) for each in chain),
        organization=organization,
        name=name,
        log_key=public,
        log_details=details,
    )


def certificate_unavailable(url: str, way_out: str) -> ApplicationError:
    """The error for a certificate that cannot be had now; `way_out` says what ends the wait."""
    return ApplicationError(
        f"the release waits for a certificate of {url}: {way_out}",
        type="SigningIdentityUnavailable",
    )
