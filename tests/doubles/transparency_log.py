"""A double of a Rekor server (API v1): a Merkle tree in memory, signed promises and checkpoints.

Written after Rekor's API description (github.com/sigstore/rekor, openapi.yaml), RFC 6962 for the
tree and its proofs, RFC 8785 for what a signed entry timestamp covers, and C2SP signed-note for
checkpoints. The real `rekor-cli` and both generations of cosign accept what it proves.
"""

import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

from tests.doubles.loopback import LoopbackHandler, address_of, served

_NAME = "127.0.0.1"
"""By which it signs: a part of its address, as verifiers want it."""
_TREE = "1193050959916656"
_TREE_ID = f"{int(_TREE):016x}"
_ENTRIES = "/api/v1/log/entries"


@dataclass
class Entry:
    """One leaf."""

    body: bytes
    time: int

    @property
    def leaf(self) -> bytes:
        """RFC 6962's hash of the leaf."""
        return hashlib.sha256(b"\0" + self.body).digest()

    @property
    def uuid(self) -> str:
        """The entry's name: the tree's and the leaf's."""
        return _TREE_ID + self.leaf.hex()


@dataclass
class TransparencyLogDouble:
    """A running log. Tests read its entries, and let answers fail."""

    address: str = ""
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    entries: list[Entry] = field(default_factory=lambda: [Entry(b"{}", int(time.time()))])
    """The first is nobody's: cosign takes an entry with index 0 for one without an index."""
    asked: list[str] = field(default_factory=list)
    """Method and path of each request."""
    fails: list[str] = field(default_factory=list)
    """`before` or `after`: the next entry is answered with 500, before or after it was stored."""
    swaps: bool = False
    """Whether it answers with its first entry, whatever it was given."""

    def write_key(self, path: Path) -> Path:
        """Write the public key in PEM, for REGREEN_REKOR_KEY."""
        path.write_bytes(self._public(Encoding.PEM))
        return path

    @property
    def log_id(self) -> bytes:
        """SHA-256 of the public key."""
        return hashlib.sha256(self._public(Encoding.DER)).digest()

    def answer(self, entry: Entry) -> dict[str, Any]:
        """An entry with its promise and its proof in the tree as it is now."""
        index = self.entries.index(entry)
        body = base64.b64encode(entry.body).decode()
        promised = {
            "body": body,
            "integratedTime": entry.time,
            "logID": self.log_id.hex(),
            "logIndex": index,
        }
        promise = self._sign(json.dumps(promised, sort_keys=True, separators=(",", ":")).encode())
        leaves = [each.leaf for each in self.entries]
        proof = {
            "checkpoint": self.checkpoint(),
            "hashes": [each.hex() for each in _path(index, leaves)],
            "logIndex": index,
            "rootHash": _root(leaves).hex(),
            "treeSize": len(leaves),
        }
        verification = {"inclusionProof": proof, "signedEntryTimestamp": _text(promise)}
        return {entry.uuid: promised | {"verification": verification}}

    def checkpoint(self) -> str:
        """The signed tree head as a note."""
        origin = f"{_NAME} - {_TREE}"
        root = _root([each.leaf for each in self.entries])
        note = f"{origin}\n{len(self.entries)}\n{_text(root)}\n"
        signed = self.log_id[:4] + self._sign(note.encode())
        return f"{note}\n\u2014 {_NAME} {_text(signed)}\n"

    def public_pem(self) -> bytes:
        """The public key in PEM."""
        return self._public(Encoding.PEM)

    def _public(self, encoding: Encoding) -> bytes:
        return self.key.public_key().public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)

    def _sign(self, data: bytes) -> bytes:
        return self.key.sign(data, ec.ECDSA(hashes.SHA256()))


@contextmanager
def transparency_log() -> Iterator[TransparencyLogDouble]:
    """Serve a log on a loopback port until the block ends."""
    double = TransparencyLogDouble()
    lock = threading.Lock()

    class Handler(LoopbackHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            query = {key: values[0] for key, values in parse_qs(url.query).items()}
            with lock:
                double.asked.append(f"GET {url.path}")
                self._send(*_get(double, url.path, query))

        def do_POST(self) -> None:
            path = urlsplit(self.path).path
            content = self.content()
            with lock:
                double.asked.append(f"POST {path}")
                self._send(*_post(double, path, json.loads(content)))

        def _send(self, status: int, body: Any, location: str = "") -> None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            kind = "application/x-pem-file" if isinstance(body, bytes) else "application/json"
            headers = {"Content-Type": kind} | ({"Location": location} if location else {})
            self.reply(status, data, headers)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    double.address = address_of(server)
    with served(server):
        yield double


_Reply = tuple[int, Any] | tuple[int, Any, str]


def _get(double: TransparencyLogDouble, path: str, query: dict[str, str]) -> _Reply:
    leaves = [each.leaf for each in double.entries]
    if path == "/api/v1/log":
        return 200, {
            "rootHash": _root(leaves).hex(),
            "treeSize": len(leaves),
            "signedTreeHead": double.checkpoint(),
            "treeID": _TREE,
            "inactiveShards": [],
        }
    if path == "/api/v1/log/publicKey":
        return 200, double.public_pem()
    if path == _ENTRIES and "logIndex" in query:
        index = int(query["logIndex"])
        if index < len(double.entries):
            return 200, double.answer(double.entries[index])
    for entry in double.entries:
        if path in (f"{_ENTRIES}/{entry.uuid}", f"{_ENTRIES}/{entry.leaf.hex()}"):
            return 200, double.answer(entry)
    return 404, {"code": 404, "message": "no such entry"}


def _post(double: TransparencyLogDouble, path: str, content: Any) -> _Reply:
    if path == "/api/v1/index/retrieve":
        digest = content["hash"].removeprefix("sha256:")
        return 200, [each.uuid for each in double.entries if digest.encode() in each.body]
    if path == f"{_ENTRIES}/retrieve":
        wanted = content.get("entryUUIDs", [])
        found = [each for each in double.entries if each.uuid[-64:] in {u[-64:] for u in wanted}]
        return 200, [double.answer(each) for each in found]
    if path != _ENTRIES:
        return 404, {"code": 404, "message": "no such path"}
    if double.fails[:1] == ["before"]:
        double.fails.pop(0)
        return 500, {"code": 500, "message": "not now"}
    try:
        body = _canonical(content)
    except Exception as error:
        return 400, {"code": 400, "message": f"error processing entry: {error}"}
    entry = Entry(body, int(time.time()))
    known = next((each for each in double.entries if each.leaf == entry.leaf), None)
    if known is not None:
        there = {"code": 409, "message": "an equivalent entry already exists"}
        return 409, there, f"{_ENTRIES}/{known.uuid}"
    double.entries.append(entry)
    if double.fails[:1] == ["after"]:
        double.fails.pop(0)
        return 500, {"code": 500, "message": "stored, and lost"}
    return 201, double.answer(double.entries[1] if double.swaps else entry)


def _canonical(entry: dict[str, Any]) -> bytes:
    """The leaf of a proposed entry; raises for a signature that is not good, as Rekor does."""
    kind, spec = entry["kind"], entry["spec"]
    if kind == "hashedrekord":
        digest = bytes.fromhex(spec["data"]["hash"]["value"])
        signature = spec["signature"]
        _check(signature["publicKey"]["content"], signature["content"], digest)
        kept = spec
    elif kind == "dsse":
        kept = _canonical_envelope(spec["proposedContent"])
    else:
        raise ValueError(f"unknown kind {kind}")
    whole = {"apiVersion": entry["apiVersion"], "kind": kind, "spec": kept}
    return json.dumps(whole, sort_keys=True, separators=(",", ":")).encode()


def _canonical_envelope(proposed: dict[str, Any]) -> dict[str, Any]:
    text = proposed["envelope"]
    envelope = json.loads(text)
    payload, kind = base64.b64decode(envelope["payload"]), envelope["payloadType"]
    # DSSE's pre-authentication encoding.
    encoded = b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)
    [verifier], [signature] = proposed["verifiers"], envelope["signatures"]
    _check(verifier, signature["sig"], hashlib.sha256(encoded).digest())
    return {
        "envelopeHash": {"algorithm": "sha256", "value": _hex(text.encode())},
        "payloadHash": {"algorithm": "sha256", "value": _hex(payload)},
        "signatures": [{"signature": signature["sig"], "verifier": verifier}],
    }


def _check(key: str, signature: str, digest: bytes) -> None:
    public = load_pem_public_key(base64.b64decode(key))
    assert isinstance(public, ec.EllipticCurvePublicKey)
    public.verify(base64.b64decode(signature), digest, ec.ECDSA(Prehashed(hashes.SHA256())))


def _root(leaves: list[bytes]) -> bytes:
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = _split(len(leaves))
    return hashlib.sha256(b"\1" + _root(leaves[:split]) + _root(leaves[split:])).digest()


def _path(index: int, leaves: list[bytes]) -> list[bytes]:
    if len(leaves) <= 1:
        return []
    split = _split(len(leaves))
    if index < split:
        return [*_path(index, leaves[:split]), _root(leaves[split:])]
    return [*_path(index - split, leaves[split:]), _root(leaves[:split])]


def _split(count: int) -> int:
    return int(1 << ((count - 1).bit_length() - 1))


def _hex(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
