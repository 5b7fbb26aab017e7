"""Entries of a Rekor transparency log, and whether one is about the signature in a bundle.

The forms are those of Rekor's API v1 (types `hashedrekord` and `dsse`, version 0.0.1) and of the
Sigstore bundle v0.3 (github.com/sigstore/protobuf-specs, sigstore_bundle.proto).
"""

import base64
import hashlib
import json
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

_VERSION = "0.0.1"


def bundled_certificate(bundle: Any) -> bytes:
    """The certificate of a bundle's signer in PEM. Raises ValueError for one without."""
    try:
        encoded = bundle["verificationMaterial"]["certificate"]["rawBytes"]
        certificate = x509.load_der_x509_certificate(base64.b64decode(encoded, validate=True))
    except (LookupError, TypeError, ValueError) as error:
        raise ValueError("the bundle has no certificate") from error
    return certificate.public_bytes(Encoding.PEM)


def proposed_entry(bundle: dict[str, Any], verifier: bytes) -> dict[str, Any]:
    """What is sent to the log about a bundle: the signature, and never what is signed.

    `verifier` is the public key or the certificate in PEM. Raises ValueError for a bundle that has
    no signature.
    """
    if "messageSignature" in bundle:
        signed = bundle["messageSignature"]
        digest = base64.b64decode(signed["messageDigest"]["digest"]).hex()
        return {
            "apiVersion": _VERSION,
            "kind": "hashedrekord",
            "spec": {
                "data": {"hash": {"algorithm": "sha256", "value": digest}},
                "signature": {
                    "content": signed["signature"],
                    "publicKey": {"content": _encoded(verifier)},
                },
            },
        }
    if "dsseEnvelope" in bundle:
        return {
            "apiVersion": _VERSION,
            "kind": "dsse",
            "spec": {
                "proposedContent": {
                    "envelope": json.dumps(bundle["dsseEnvelope"]),
                    "verifiers": [_encoded(verifier)],
                }
            },
        }
    raise ValueError("a bundle has a signature or an envelope")


def bundled_entry(answer: dict[str, Any]) -> dict[str, Any]:
    """The log's answer as a bundle holds it. Raises KeyError or ValueError for another answer."""
    [entry] = answer.values()
    body = json.loads(base64.b64decode(entry["body"], validate=True))
    proof = entry["verification"]["inclusionProof"]
    return {
        "logIndex": str(int(entry["logIndex"])),
        "logId": {"keyId": _encoded(bytes.fromhex(entry["logID"]))},
        "kindVersion": {"kind": body["kind"], "version": body["apiVersion"]},
        "integratedTime": str(int(entry["integratedTime"])),
        "inclusionPromise": {"signedEntryTimestamp": entry["verification"]["signedEntryTimestamp"]},
        "inclusionProof": {
            "logIndex": str(int(proof["logIndex"])),
            "rootHash": _encoded(bytes.fromhex(proof["rootHash"])),
            "treeSize": str(int(proof["treeSize"])),
            "hashes": [_encoded(bytes.fromhex(each)) for each in proof["hashes"]],
            "checkpoint": {"envelope": proof["checkpoint"]},
        },
        "canonicalizedBody": entry["body"],
    }


def with_entry(bundle: dict[str, Any], entry: dict[str, Any]) -> dict[str, Any]:
    """The bundle with one entry of a log."""
    material = bundle["verificationMaterial"] | {"tlogEntries": [entry]}
    return bundle | {"verificationMaterial": material}


def entry_problem(bundle: Any, verifier: bytes) -> str:
    """Why a bundle's log entries do not show that its own signature was logged; empty if they do.

    A log's proof says that an entry is in the log. That the entry is about this signature, and not
    another artifact's, is asked here, since verifiers have left it out (GHSA-whqx-f9j3-ch6m).
    """
    try:
        [entry] = bundle["verificationMaterial"]["tlogEntries"]
        body = json.loads(base64.b64decode(entry["canonicalizedBody"], validate=True))
        kind, spec = body["kind"], body["spec"]
        if "messageSignature" in bundle:
            wanted = proposed_entry(bundle, verifier)
            about = kind == "hashedrekord" and _same_record(spec, wanted["spec"])
        else:
            about = kind == "dsse" and _same_envelope(spec, bundle["dsseEnvelope"], verifier)
    except (KeyError, TypeError, ValueError, AttributeError):
        return "its entry of the transparency log is missing or cannot be read"
    return "" if about else "its entry of the transparency log is about another signature"


def _same_record(spec: dict[str, Any], wanted: dict[str, Any]) -> bool:
    same_hash = spec["data"]["hash"] == wanted["data"]["hash"]
    found, asked = spec["signature"], wanted["signature"]
    key = base64.b64decode(found["publicKey"]["content"], validate=True).strip()
    same_key = key == base64.b64decode(asked["publicKey"]["content"]).strip()
    return same_hash and same_key and bool(found["content"] == asked["content"])


def _same_envelope(spec: dict[str, Any], envelope: dict[str, Any], verifier: bytes) -> bool:
    payload = base64.b64decode(envelope["payload"], validate=True)
    digest = {"algorithm": "sha256", "value": hashlib.sha256(payload).hexdigest()}
    [logged], [signed] = spec["signatures"], envelope["signatures"]
    key = base64.b64decode(logged["verifier"], validate=True).strip()
    same_signature = bool(logged["signature"] == signed["sig"])
    return spec["payloadHash"] == digest and key == verifier.strip() and same_signature


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()
