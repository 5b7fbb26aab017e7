"""The double of Fulcio speaks as Fulcio's own description of its interface says.

The description comes with Debian's package of Fulcio's sources; answers are compared with it by
path, and by the names and types that protobuf's JSON has for each message.
"""

import base64
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from regreen.tools.catalogue import DebianPackage
from tests.doubles.certificate_authority import (
    CertificateAuthorityDouble,
    certificate_authority,
)
from tests.doubles.identity_provider import IdentityProviderDouble, identity_provider
from tests.integration.unpacked import unpacked_once

FIELD = re.compile(r"^\s*(repeated )?(\w+) (\w+)\s*=\s*\d+", re.MULTILINE)
SIMPLE = {"string": str, "bytes": str, "bool": bool}


class Description:
    """What a `.proto` file says of messages and of paths."""

    def __init__(self, text: str) -> None:
        text = re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.DOTALL)
        self.paths = set(re.findall(r'(get|post): "([^"]+)"', text))
        self.messages = {
            name: {
                re.sub(r"_(\w)", lambda found: found[1].upper(), field): (bool(many), kind)
                for many, kind, field in FIELD.findall(body)
            }
            for name, body in re.findall(r"message (\w+) \{(.*?)\n\}", text, re.DOTALL)
        }

    def check(self, message: str, value: Any) -> None:
        """Fail unless a JSON value is such a message."""
        fields = self.messages[message]
        assert value.keys() <= fields.keys(), message
        for name, found in value.items():
            many, kind = fields[name]
            assert isinstance(found, list) == many, name
            for each in found if many else [found]:
                if kind in self.messages:
                    self.check(kind, each)
                else:
                    assert isinstance(each, SIMPLE.get(kind, str)), name


@pytest.fixture(scope="module")
def sources() -> Path:
    """Fulcio's own sources."""
    package = DebianPackage(
        package="golang-github-sigstore-fulcio-dev",
        binary="usr/share/gocode/src/github.com/sigstore/fulcio",
        suite="trixie",
    )
    return unpacked_once(package, "fulcio-sources") / package.binary


@pytest.fixture
def provider() -> Iterator[IdentityProviderDouble]:
    with identity_provider() as running:
        yield running


@pytest.fixture
def authority(provider: IdentityProviderDouble) -> Iterator[CertificateAuthorityDouble]:
    with certificate_authority(provider.address) as running:
        yield running


def _request(token: str, subject: str = "release@example.org") -> dict[str, Any]:
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    proof = key.sign(subject.encode(), ec.ECDSA(hashes.SHA256()))
    return {
        "credentials": {"oidcIdentityToken": token},
        "publicKeyRequest": {
            "publicKey": {"algorithm": "ECDSA", "content": public.decode()},
            "proofOfPossession": base64.b64encode(proof).decode(),
        },
    }


def test_it_answers_as_the_description_of_version_2_says(
    sources: Path, authority: CertificateAuthorityDouble, provider: IdentityProviderDouble
) -> None:
    described = Description((sources / "fulcio.proto").read_text())
    certificate = "/api/v2/signingCert"
    bundle, configuration = "/api/v2/trustBundle", "/api/v2/configuration"
    assert described.paths == {("post", certificate), ("get", bundle), ("get", configuration)}

    asked = _request(provider.token())
    described.check("CreateSigningCertificateRequest", asked)
    answer = httpx2.post(authority.address + certificate, json=asked)
    assert answer.status_code == 200
    described.check("SigningCertificate", answer.json())
    chain = answer.json()["signedCertificateEmbeddedSct"]["chain"]["certificates"]
    own, *issuers = (x509.load_pem_x509_certificate(each.encode()) for each in chain)
    for issuer in issuers:
        own.verify_directly_issued_by(issuer)
        own = issuer
    found = httpx2.get(authority.address + bundle).json()
    described.check("TrustBundle", found)
    assert found["chains"][0]["certificates"] == chain[1:]
    described.check("Configuration", httpx2.get(authority.address + configuration).json())


def test_it_serves_the_paths_of_version_1(
    sources: Path, authority: CertificateAuthorityDouble, provider: IdentityProviderDouble
) -> None:
    described = Description((sources / "fulcio_legacy.proto").read_text())
    assert described.paths == {("post", "/api/v1/signingCert"), ("get", "/api/v1/rootCert")}
    answer = httpx2.get(f"{authority.address}/api/v1/rootCert")
    assert answer.headers["content-type"] == "application/pem-certificate-chain"
    assert len(x509.load_pem_x509_certificates(answer.content)) == 2


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"minutes": -1}, 401),
        ({"audience": "another"}, 401),
        ({"iss": "https://accounts.example.org", "sub": "release-1"}, 401),
        ({"sub": "release-1", "email": "another@example.org"}, 400),
    ],
)
def test_it_refuses_what_fulcio_refuses(
    change: dict[str, Any],
    status: int,
    authority: CertificateAuthorityDouble,
    provider: IdentityProviderDouble,
) -> None:
    asked = _request(provider.token(**change))
    answer = httpx2.post(f"{authority.address}/api/v2/signingCert", json=asked)
    assert answer.status_code == status
    assert answer.json().keys() == {"code", "message", "details"}
    assert authority.issued == []
