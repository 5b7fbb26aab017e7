"""What a signature's bundle says of itself: which key it is by, and what was signed.

The form is the Sigstore bundle v0.3 (github.com/sigstore/protobuf-specs, sigstore_bundle.proto).
Verifiers take key and content from their caller and pass by what the bundle names, so that a byte
of it could be another one and nobody would notice. In the bundle of `SHA256SUMS`, whose own digest
stands nowhere, only this shows it.
"""

import base64
import hashlib
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

_MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"


def form_problem(bundle: dict[str, Any], public_key: bytes | None, content: Path) -> str:
    """Why what a bundle says of itself is not so, in one line; empty when it is.

    `public_key` is in PEM; None where the bundle's certificate holds it. `content` is what was
    signed.
    """
    try:
        if bundle["mediaType"] != _MEDIA_TYPE:
            return "its bundle is of another form than v0.3"
        material = bundle["verificationMaterial"]
        if "publicKey" in material and (
            public_key is None or material["publicKey"]["hint"] != _hint(public_key)
        ):
            return "its bundle names another key"
        if "messageSignature" in bundle:
            digest = bundle["messageSignature"]["messageDigest"]
            if digest != {"algorithm": "SHA2_256", "digest": _digest(content)}:
                return "its bundle names another file"
    except (LookupError, TypeError, ValueError):
        return "its bundle does not say which key or file it is about"
    return ""


def _hint(public_key: bytes) -> str:
    der = load_pem_public_key(public_key).public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )
    return base64.b64encode(hashlib.sha256(der).digest()).decode()


def _digest(content: Path) -> str:
    with content.open("rb") as file:
        return base64.b64encode(hashlib.file_digest(file, "sha256").digest()).decode()
