"""What a signature's bundle says of itself, and whether it is so."""

import base64
import hashlib
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from activities.bundle_form import form_problem

PUBLIC = ec.generate_private_key(ec.SECP256R1()).public_key()
PEM = PUBLIC.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
DER = PUBLIC.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
V03 = "application/vnd.dev.sigstore.bundle.v0.3+json"


@pytest.fixture
def content(tmp_path: Path) -> Path:
    file = tmp_path / "SHA256SUMS"
    file.write_bytes(b"a list")
    return file


def _digest(data: bytes) -> str:
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


def _bundle(
    form: str = V03, key: bytes = DER, algorithm: str = "SHA2_256", file: bytes = b"a list"
) -> dict[str, Any]:
    return {
        "mediaType": form,
        "verificationMaterial": {"publicKey": {"hint": _digest(key)}},
        "messageSignature": {
            "messageDigest": {"algorithm": algorithm, "digest": _digest(file)},
            "signature": "",
        },
    }


def test_what_is_so_is_no_problem(content: Path) -> None:
    assert form_problem(_bundle(), PEM, content) == ""
    attestation = {key: part for key, part in _bundle().items() if key != "messageSignature"}
    assert form_problem(attestation | {"dsseEnvelope": {}}, PEM, content) == ""


@pytest.mark.parametrize(
    ("bundle", "said"),
    [
        (_bundle(form=V03.replace("3", "2")), "of another form than v0.3"),
        (_bundle(key=b"another"), "names another key"),
        (_bundle(algorithm="SHA3_256"), "names another file"),
        (_bundle(file=b"another"), "names another file"),
        ({}, "does not say which key or file"),
        ({"mediaType": V03}, "does not say which key or file"),
        (_bundle() | {"messageSignature": 7}, "does not say which key or file"),
        (_bundle() | {"verificationMaterial": {"publicKey": []}}, "does not say which key or file"),
    ],
)
def test_what_is_not_so_is_said_in_one_line(
    bundle: dict[str, Any], said: str, content: Path
) -> None:
    problem = form_problem(bundle, PEM, content)
    assert said in problem
    assert "\n" not in problem


def test_a_key_that_is_none_is_a_problem_and_no_error(content: Path) -> None:
    assert "which key" in form_problem(_bundle(), b"nonsense", content)
