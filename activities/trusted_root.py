"""The trusted root: by whose word a bundle is checked, on log, time-stamps and certificates.

The form is Sigstore's (github.com/sigstore/protobuf-specs, sigstore_trustroot.proto).
"""

import base64
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from activities.certificate_authority import CertificateAuthority
from activities.timestamp_authority import TimestampAuthority
from activities.transparency_log import TransparencyLog

_MEDIA_TYPE = "application/vnd.dev.sigstore.trustedroot"
TRUSTED_ROOT = {"mediaType": f"{_MEDIA_TYPE}+json;version=0.1"}
"""One that trusts no service, so that cosign asks none."""
TRUSTED_ROOT_FILE = "trusted-root.json"
"""In a release folder: the services whose word its bundles carry."""

ALWAYS = {"start": "1970-01-01T00:00:00Z"}
"""The time for which the operator's services are trusted."""

_LARGEST = 1 << 20


@dataclass(frozen=True)
class TrustedServices:
    """What a trusted root trusts."""

    logs: frozenset[str] = frozenset()
    """Public keys of transparency logs, as the root has them."""
    authorities: frozenset[tuple[str, ...]] = frozenset()
    """Certificates of time-stamp authorities, as the root has them."""
    certificate_authorities: frozenset[tuple[str, ...]] = frozenset()
    """Certificates of certificate authorities, as the root has them."""
    certificate_logs: frozenset[str] = frozenset()
    """Public keys of certificate transparency logs, as the root has them."""

    @property
    def names(self) -> str:
        """Their kinds, for a sentence."""
        kinds = {
            "transparency log": self.logs,
            "time-stamp authority": self.authorities,
            "certificate authority": self.certificate_authorities,
            "certificate transparency log": self.certificate_logs,
        }
        *others, last = [kind for kind, known in kinds.items() if known] or [""]
        return f"{', '.join(others)} and {last}" if others else last

    @property
    def dated(self) -> bool:
        """Whether one of them says when a signature existed."""
        return bool(self.logs or self.authorities)


NO_SERVICES = TrustedServices()


def trusted_root(
    log: TransparencyLog | None,
    authority: TimestampAuthority | None,
    certificates: CertificateAuthority | None = None,
) -> dict[str, Any]:
    """A trusted root that trusts these services and no other."""
    root: dict[str, Any] = dict(TRUSTED_ROOT)
    if log is not None:
        root["tlogs"] = [_log(log.url, log.public_key, log.details)]
    if certificates is not None:
        root["certificateAuthorities"] = [_authority(certificates)]
        if certificates.log_key is not None:
            logged = _log(certificates.url, certificates.log_key, certificates.log_details)
            root["ctlogs"] = [logged]
    if authority is not None:
        root["timestampAuthorities"] = [_authority(authority)]
    return root


def trusted_services(path: Path) -> TrustedServices:
    """What a file trusts. Raises ValueError when it is no trusted root."""
    try:
        with path.open("rb") as file:
            root = json.loads(file.read(_LARGEST))
        if not root["mediaType"].startswith(_MEDIA_TYPE):
            raise ValueError("another media type")
        return TrustedServices(
            logs=_keys(root, "tlogs"),
            authorities=_chains(root, "timestampAuthorities"),
            certificate_authorities=_chains(root, "certificateAuthorities"),
            certificate_logs=_keys(root, "ctlogs"),
        )
    except (OSError, ValueError, RecursionError, LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"{path.name} is no trusted root") from error


def untrusted(own: Path, trusted: Path) -> str:
    """Which services of a release's own root are not those to trust; empty when all are.

    Raises ValueError when one of the files is no trusted root.
    """
    found, known = trusted_services(own), trusted_services(trusted)
    strangers = TrustedServices(
        found.logs - known.logs,
        found.authorities - known.authorities,
        found.certificate_authorities - known.certificate_authorities,
        found.certificate_logs - known.certificate_logs,
    )
    return f"names another {strangers.names} than the one to trust" if strangers.names else ""


def _keys(root: dict[str, Any], kind: str) -> frozenset[str]:
    return frozenset(str(each["publicKey"]["rawBytes"]) for each in root.get(kind, ()))


def _chains(root: dict[str, Any], kind: str) -> frozenset[tuple[str, ...]]:
    return frozenset(
        tuple(str(one["rawBytes"]) for one in each["certChain"]["certificates"])
        for each in root.get(kind, ())
    )


def _log(url: str, public_key: bytes, details: str) -> dict[str, Any]:
    return {
        "baseUrl": url,
        "hashAlgorithm": "SHA2_256",
        "publicKey": {
            "rawBytes": base64.b64encode(public_key).decode(),
            "keyDetails": details,
            "validFor": ALWAYS,
        },
        "logId": {"keyId": base64.b64encode(hashlib.sha256(public_key).digest()).decode()},
    }


def _authority(authority: TimestampAuthority | CertificateAuthority) -> dict[str, Any]:
    return {
        "subject": {"organization": authority.organization, "commonName": authority.name},
        "uri": authority.url,
        "certChain": {
            "certificates": [
                {"rawBytes": base64.b64encode(certificate).decode()}
                for certificate in authority.certificates
            ]
        },
        "validFor": ALWAYS,
    }
