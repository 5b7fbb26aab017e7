"""A time-stamp authority on loopback: `openssl ts` behind HTTP, as RFC 3161 describes it."""

import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.doubles.loopback import LoopbackHandler, address_of, served

_SETTINGS = """[tsa]
default_tsa = double
[double]
serial = {folder}/serial
default_policy = 1.3.6.1.4.1.57264.2
digests = {digests}
signer_digest = sha256
ess_cert_id_alg = sha256
"""


@dataclass
class TimestampAuthorityDouble:
    """A running authority. Tests read what it was asked, and let answers fail."""

    address: str
    certificates: bytes
    """PEM: its own and its root's."""
    asked: list[bytes] = field(default_factory=list)
    """Each request."""
    fails: list[int] = field(default_factory=list)
    """Status codes; each is used up by one request."""
    says: list[bytes] = field(default_factory=list)
    """Each is used up by one request: what it is answered with status 200."""
    answers: list[bytes] = field(default_factory=list)
    """What `openssl ts` answered."""
    rejects: bool = False
    """Whether it takes no SHA-256."""

    def write_certificates(self, path: Path) -> Path:
        """Write the certificates, for REGREEN_TIMESTAMP_CERTIFICATES."""
        path.write_bytes(self.certificates)
        return path


@contextmanager
def timestamp_authority() -> Iterator[TimestampAuthorityDouble]:
    """Serve an authority on a loopback port until the block ends."""
    folder = Path(tempfile.mkdtemp(prefix="regreen-timestamps-"))
    lock = threading.Lock()
    (folder / "serial").write_text("01\n")

    class Handler(LoopbackHandler):
        def do_POST(self) -> None:
            request = self.content()
            with lock:
                double.asked.append(request)
                if self.headers.get("content-type") != "application/timestamp-query":
                    self._send(415)
                elif double.fails:
                    self._send(double.fails.pop(0))
                elif double.says:
                    self._send(200, double.says.pop(0))
                else:
                    double.answers.append(_answer(folder, request, double.rejects))
                    self._send(200, double.answers[-1])

        def _send(self, status: int, body: bytes = b"") -> None:
            self.reply(status, body, {"Content-Type": "application/timestamp-reply"})

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    double = TimestampAuthorityDouble(f"{address_of(server)}/tsr", _make_certificates(folder))
    try:
        with served(server):
            yield double
    finally:
        shutil.rmtree(folder)


def _answer(folder: Path, request: bytes, rejects: bool) -> bytes:
    query, reply, settings = (folder / name for name in ("query", "reply", "settings"))
    query.write_bytes(request)
    settings.write_text(_SETTINGS.format(folder=folder, digests="sha512" if rejects else "sha256"))
    words = ["openssl", "ts", "-reply", "-config", settings, "-queryfile", query, "-out", reply]
    subprocess.run(
        [*words, "-signer", folder / "own.pem", "-inkey", folder / "own.key"],
        check=True,
        capture_output=True,
        timeout=30,
    )
    return reply.read_bytes()


def _make_certificates(folder: Path) -> bytes:
    root_key, own_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root = _certificate("root of the double", root_key, root_key, "root of the double", ca=True)
    own = _certificate("time-stamps of the double", own_key, root_key, "root of the double")
    (folder / "own.pem").write_bytes(own)
    secret = own_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "own.key").write_bytes(secret)
    return own + root


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer_key: ec.EllipticCurvePrivateKey,
    issuer: str,
    *,
    ca: bool = False,
) -> bytes:
    now = datetime.now(UTC)
    usage = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
        + ("crl_sign", "encipher_only", "decipher_only"),
        False,
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(digital_signature=not ca, key_cert_sign=ca, **usage), critical=True
        )
    )
    if not ca:
        stamping = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
        builder = builder.add_extension(stamping, critical=True)
    return builder.sign(issuer_key, hashes.SHA256()).public_bytes(Encoding.PEM)


def _name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "example"),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )
