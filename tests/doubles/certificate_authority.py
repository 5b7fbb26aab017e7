"""A double of Fulcio: short-lived certificates for whom a token names, and a log's word on each.

Written after Fulcio's API description (github.com/sigstore/fulcio, fulcio.swagger.json for v2 and
fulcio_legacy.swagger.json for v1), its certificate profile (docs/certificate-specification.md,
docs/oid-info.md), and RFC 6962 for the signed certificate timestamp. Both generations of cosign
take what it issues.
"""

import base64
import hashlib
import json
import struct
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
    load_pem_public_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.doubles.loopback import LoopbackHandler, address_of, served

_ISSUER = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.8")
_ISSUER_OF_BEFORE = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
_TIMESTAMPS = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
_NEVER = dict.fromkeys(
    ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    + ("encipher_only", "decipher_only"),
    False,
)
_UNAUTHENTICATED, _INVALID_ARGUMENT, _UNAVAILABLE = 16, 3, 14


def _new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@dataclass
class CertificateAuthorityDouble:
    """A running authority. Tests read what it was asked, and let its answers fail."""

    issuer: str
    """The identity provider whose tokens it takes."""
    address: str = ""
    root_key: ec.EllipticCurvePrivateKey = field(default_factory=_new_key)
    key: ec.EllipticCurvePrivateKey = field(default_factory=_new_key)
    log_key: ec.EllipticCurvePrivateKey = field(default_factory=_new_key)
    """Of the certificate transparency log."""
    issued: list[x509.Certificate] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    """The path of each request for a certificate."""
    fails: list[int] = field(default_factory=list)
    """Status codes; each is used up by one request."""
    age: timedelta = timedelta()
    """How long before it is asked a certificate was issued."""
    logged: bool = True
    """Whether certificates carry a certificate transparency log's word."""

    def __post_init__(self) -> None:
        self.root = _authority("root of the double", self.root_key, None, self.root_key)
        self.own = _authority("authority of the double", self.key, self.root, self.root_key)

    def write_certificates(self, path: Path) -> Path:
        """Write the chain in PEM, for REGREEN_FULCIO_CERTIFICATES."""
        path.write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in self.chain))
        return path

    def write_log_key(self, path: Path) -> Path:
        """Write the certificate transparency log's key in PEM, for REGREEN_CT_LOG_KEY."""
        public = self.log_key.public_key()
        path.write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
        return path

    @property
    def chain(self) -> list[x509.Certificate]:
        """Its own certificate and its root's."""
        return [self.own, self.root]

    def issue(self, public_key: Any, claims: dict[str, Any]) -> x509.Certificate:
        """A certificate for a key, made out to whom the claims of a token name."""
        start = datetime.now(UTC) - self.age
        issuer = claims["iss"]
        short = bytes([0x0C, len(issuer)]) + issuer.encode()
        code_signing = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING])
        usage = x509.KeyUsage(digital_signature=True, key_cert_sign=False, crl_sign=False, **_NEVER)
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self.own.subject)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + timedelta(minutes=10))
            .add_extension(usage, critical=True)
            .add_extension(code_signing, critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()),
                critical=False,
            )
            .add_extension(x509.SubjectAlternativeName([_named(claims)]), critical=True)
            .add_extension(x509.UnrecognizedExtension(_ISSUER_OF_BEFORE, issuer.encode()), False)
            .add_extension(x509.UnrecognizedExtension(_ISSUER, short), critical=False)
        )
        if self.logged:
            # What the log signs is the certificate without the log's word.
            unlogged = builder.sign(self.key, hashes.SHA256()).tbs_certificate_bytes
            word = x509.UnrecognizedExtension(_TIMESTAMPS, self._timestamps(unlogged, start))
            builder = builder.add_extension(word, critical=False)
        certificate = builder.sign(self.key, hashes.SHA256())
        self.issued.append(certificate)
        return certificate

    def _timestamps(self, unlogged: bytes, when: datetime) -> bytes:
        """The extension with one timestamp, as RFC 6962, 3.2 and 3.3, has it."""
        key, log = (
            each.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            for each in (self.key, self.log_key)
        )
        moment = struct.pack(">Q", int(when.timestamp() * 1000))
        entry = b"\0\1" + hashlib.sha256(key).digest() + _counted(unlogged, 3)
        signed = b"\0\0" + moment + entry + b"\0\0"
        signature = self.log_key.sign(signed, ec.ECDSA(hashes.SHA256()))
        word = b"\0" + hashlib.sha256(log).digest() + moment + b"\0\0\4\3" + _counted(signature, 2)
        listed = _counted(_counted(word, 2), 2)
        return b"\x04" + _counted(listed, 1)


@contextmanager
def certificate_authority(issuer: str) -> Iterator[CertificateAuthorityDouble]:
    """Serve an authority on a loopback port until the block ends."""
    double = CertificateAuthorityDouble(issuer)
    lock = threading.Lock()

    class Handler(LoopbackHandler):
        def do_GET(self) -> None:
            pems = [_pem(each) for each in double.chain]
            if self.path == "/api/v2/trustBundle":
                self._send(200, {"chains": [{"certificates": pems}]})
            elif self.path == "/api/v2/configuration":
                offered = {"issuerUrl": issuer, "audience": "sigstore", "challengeClaim": "email"}
                self._send(200, {"issuers": [offered]})
            elif self.path == "/api/v1/rootCert":
                self._send(200, "".join(pems))
            else:
                self._send(*_refused(404, 5, "Not Found"))

        def do_POST(self) -> None:
            content = json.loads(self.content())
            bearer = self.headers.get("authorization", "").removeprefix("Bearer ")
            with lock:
                double.asked.append(self.path)
                self._send(*_post(double, self.path, content, bearer))

        def _send(self, status: int, body: Any) -> None:
            chain = isinstance(body, str)
            data = body.encode() if chain else json.dumps(body).encode()
            kind = "application/pem-certificate-chain" if chain else "application/json"
            self.reply(status, data, {"Content-Type": kind})

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    double.address = address_of(server)
    with served(server):
        yield double


def _post(
    double: CertificateAuthorityDouble, path: str, content: Any, bearer: str
) -> tuple[int, Any]:
    if double.fails:
        status = double.fails.pop(0)
        code = {401: _UNAUTHENTICATED, 400: _INVALID_ARGUMENT}.get(status, _UNAVAILABLE)
        return _refused(status, code, "not now")
    if path == "/api/v2/signingCert":
        # The token may stand in the header, too.
        token = content.get("credentials", {}).get("oidcIdentityToken", bearer)
        asked = content["publicKeyRequest"]
        proof, key = asked["proofOfPossession"], asked["publicKey"]["content"].encode()
    elif path == "/api/v1/signingCert":
        token, proof = bearer, content["signedEmailAddress"]
        key = base64.b64decode(content["publicKey"]["content"])
    else:
        return _refused(404, 5, "Not Found")
    try:
        claims = _claims(double.issuer, token)
    except jwt.PyJWTError:
        message = "There was an error processing the identity token"
        return _refused(401, _UNAUTHENTICATED, message)
    try:
        public = _public_key(key)
        proven = str(claims.get("email", claims["sub"])).encode()
        public.verify(base64.b64decode(proof), proven, ec.ECDSA(hashes.SHA256()))
    except (ValueError, InvalidSignature):
        message = "The signature supplied in the request could not be verified"
        return _refused(400, _INVALID_ARGUMENT, message)
    chain = [_pem(each) for each in (double.issue(public, claims), *double.chain)]
    if path == "/api/v1/signingCert":
        return 201, "".join(chain)
    kind = "signedCertificateEmbeddedSct" if double.logged else "signedCertificateDetachedSct"
    return 200, {kind: {"chain": {"certificates": chain}}}


def _claims(issuer: str, token: str) -> dict[str, Any]:
    """What a token says, once its issuer's own keys have shown that the issuer signed it."""
    with urllib.request.urlopen(f"{issuer}/.well-known/openid-configuration") as answer:
        place = json.load(answer)["jwks_uri"]
    with urllib.request.urlopen(place) as answer:
        keys = jwt.PyJWKSet.from_dict(json.load(answer))
    key = keys[jwt.get_unverified_header(token)["kid"]]
    said: dict[str, Any] = jwt.decode(
        token, key, algorithms=["RS256"], audience="sigstore", issuer=issuer
    )
    return said


def _public_key(data: bytes) -> ec.EllipticCurvePublicKey:
    load = load_pem_public_key if data.startswith(b"-----") else load_der_public_key
    key = load(data)
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise ValueError("no ECDSA key")
    return key


def _named(claims: dict[str, Any]) -> x509.GeneralName:
    if "email" in claims:
        return x509.RFC822Name(claims["email"])
    workflow = claims.get("job_workflow_ref")
    named = f"https://github.com/{workflow}" if workflow else claims["sub"]
    return x509.UniformResourceIdentifier(named)


def _authority(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Certificate | None,
    issuer_key: ec.EllipticCurvePrivateKey,
) -> x509.Certificate:
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "example"),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )
    now = datetime.now(UTC)
    code_signing = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING])
    usage = x509.KeyUsage(digital_signature=False, key_cert_sign=True, crl_sign=True, **_NEVER)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=30))
        .not_valid_after(now + timedelta(days=365))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if issuer is not None:
        builder = builder.add_extension(code_signing, critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _refused(status: int, code: int, message: str) -> tuple[int, Any]:
    return status, {"code": code, "message": message, "details": []}


def _counted(data: bytes, width: int) -> bytes:
    return len(data).to_bytes(width, "big") + data


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()
