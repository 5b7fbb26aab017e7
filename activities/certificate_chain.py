"""The certificates of a service of the operator's choice, as a file has them."""

from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import NameOID


def certificate_chain(path: Path) -> list[x509.Certificate]:
    """The certificates of a PEM file: the service's own first, each followed by its issuer.

    The last one is a root. Raises ValueError in one line when the file is no such chain.
    """
    try:
        chain = x509.load_pem_x509_certificates(path.read_bytes())
        for certificate, issuer in zip(chain, [*chain[1:], chain[-1]], strict=True):
            certificate.verify_directly_issued_by(issuer)
    except InvalidSignature as error:
        raise ValueError("a signature is bad") from error
    except (OSError, ValueError, TypeError) as error:
        wanted = "its own certificate first, each followed by its issuer, up to a root"
        raise ValueError(f"{error}; it takes {wanted}") from error
    return chain


def organization_and_name(certificate: x509.Certificate) -> tuple[str, str]:
    """Organization and common name of a certificate's subject, each empty where there is none."""
    subject = certificate.subject
    organization, name = (
        next((str(each.value) for each in subject.get_attributes_for_oid(kind)), "")
        for kind in (NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME)
    )
    return organization, name
