"""Whom the certificates of keyless signatures are made out to, as a release folder records it."""

from pathlib import Path

from regreen.contracts.release import CertificateIdentity

IDENTITY_FILE = "cosign.identity"
"""In a release folder that is signed without a key, in place of the public key."""

_LARGEST = 1 << 14


def identity_document(identity: CertificateIdentity) -> bytes:
    """The file's content: the identity on the first line, its issuer on the second."""
    return f"{identity.identity}\n{identity.issuer}\n".encode()


def recorded_identity(path: Path) -> CertificateIdentity:
    """What a file records. Raises ValueError when it is no such file."""
    try:
        with path.open("rb") as file:
            named, issuer, end = file.read(_LARGEST).decode().split("\n")
        if end:
            raise ValueError("more than two lines")
        return CertificateIdentity(identity=named, issuer=issuer)
    except (OSError, ValueError) as error:
        raise ValueError(f"{path.name} does not name an identity and its issuer") from error
