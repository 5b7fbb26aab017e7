"""The trusted root: which transparency log and which time-stamp authority a bundle is checked by.

The form is Sigstore's (github.com/sigstore/protobuf-specs, sigstore_trustroot.proto).
"""

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from activities.timestamp_authority import TimestampAuthority
from activities.transparency_log import TransparencyLog

_MEDIA_TYPE = "application/vnd.dev.sigstore.trustedroot"
TRUSTED_ROOT = {"mediaType": f"{_MEDIA_TYPE}+json;version=0.1"}
"""One that trusts no service, so that cosign asks none."""
TRUSTED_ROOT_FILE = "trusted-root.json"
"""In a release folder: the services whose word its bundles carry."""

_LARGEST = 1 << 20
_ALWAYS = {"start": "1970-01-01T00:00:00Z"}


@dataclass(frozen=True)
class TrustedServices:
    """What a trusted root trusts."""

    logs: frozenset[str]
    """Public keys of transparency logs, as the root has them."""
    authorities: frozenset[tuple[str, ...]]
    """Certificates of time-stamp authorities, as the root has them."""

    @property
    def names(self) -> str:
        """Their kinds, for a sentence."""
        logs = ["transparency log"] if self.logs else []
        return " and ".join([*logs, *["time-stamp authority"] * bool(self.authorities)])


NO_SERVICES = TrustedServices(frozenset(), frozenset())


def trusted_root(
    log: TransparencyLog | None, authority: TimestampAuthority | None
) -> dict[str, Any]:
    """A trusted root that trusts these services and no other."""
    root: dict[str, Any] = dict(TRUSTED_ROOT)
    if log is not None:
        root["tlogs"] = [_log(log)]
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
            frozenset(str(each["publicKey"]["rawBytes"]) for each in root.get("tlogs", ())),
            frozenset(
                tuple(str(one["rawBytes"]) for one in each["certChain"]["certificates"])
                for each in root.get("timestampAuthorities", ())
            ),
        )
    except (OSError, ValueError, RecursionError, LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"{path.name} is no trusted root") from error


def untrusted(own: Path, trusted: Path) -> str:
    """Which services of a release's own root are not those to trust; empty when all are.

    Raises ValueError when one of the files is no trusted root.
    """
    found, known = trusted_services(own), trusted_services(trusted)
    strangers = TrustedServices(found.logs - known.logs, found.authorities - known.authorities)
    return f"names another {strangers.names} than the one to trust" if strangers.names else ""


def _log(log: TransparencyLog) -> dict[str, Any]:
    return {
        "baseUrl": log.url,
        "hashAlgorithm": "SHA2_256",
        "publicKey": {
            "rawBytes": base64.b64encode(log.public_key).decode(),
            "keyDetails": log.details,
            "validFor": _ALWAYS,
        },
        "logId": {"keyId": base64.b64encode(bytes.fromhex(log.identity)).decode()},
    }


def _authority(authority: TimestampAuthority) -> dict[str, Any]:
    return {
        "subject": {"organization": authority.organization, "commonName": authority.name},
        "uri": authority.url,
        "certChain": {
            "certificates": [
                {"rawBytes": base64.b64encode(certificate).decode()}
                for certificate in authority.certificates
            ]
        },
        "validFor": _ALWAYS,
    }
