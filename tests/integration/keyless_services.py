"""All that signing without a key needs, on loopback, and settings that name it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from regreen.contracts.release import CertificateIdentity
from tests.doubles.certificate_authority import (
    CertificateAuthorityDouble,
    certificate_authority,
)
from tests.doubles.identity_provider import IdentityProviderDouble, identity_provider
from tests.doubles.timestamp_authority import TimestampAuthorityDouble, timestamp_authority
from tests.doubles.transparency_log import TransparencyLogDouble, transparency_log

WHO = "release@example.org"


@dataclass
class KeylessServices:
    """The services, and the token that an operator keeps fresh."""

    provider: IdentityProviderDouble
    authority: CertificateAuthorityDouble
    log: TransparencyLogDouble
    stamps: TimestampAuthorityDouble
    token: Path
    """The file with the token."""

    @property
    def identity(self) -> CertificateIdentity:
        """Whom the certificates are made out to."""
        return CertificateIdentity(identity=WHO, issuer=self.provider.address)


@contextmanager
def keyless_services(
    folder: Path, patch: pytest.MonkeyPatch, witnesses: str = "log"
) -> Iterator[KeylessServices]:
    """Serve them; `witnesses` says whether signatures go to the `log`, are given `stamps`, or
    `both`."""
    with (
        identity_provider() as provider,
        certificate_authority(provider.address) as authority,
        transparency_log() as log,
        timestamp_authority() as stamps,
    ):
        token = folder / "token"
        token.write_text(provider.token())
        settings = {
            "FULCIO_URL": authority.address,
            "FULCIO_CERTIFICATES": authority.write_certificates(folder / "authority.pem"),
            "CT_LOG_KEY": authority.write_log_key(folder / "ct.pub"),
            "CERTIFICATE_IDENTITY": WHO,
            "CERTIFICATE_OIDC_ISSUER": provider.address,
            "IDENTITY_TOKEN_FILE": token,
        }
        if witnesses != "stamps":
            settings["REKOR_URL"] = log.address
            settings["REKOR_KEY"] = log.write_key(folder / "rekor.pub")
        if witnesses != "log":
            settings["TIMESTAMP_URL"] = stamps.address
            settings["TIMESTAMP_CERTIFICATES"] = stamps.write_certificates(folder / "stamps.pem")
        for name, value in settings.items():
            patch.setenv(f"REGREEN_{name}", str(value))
        yield KeylessServices(provider, authority, log, stamps, token)
