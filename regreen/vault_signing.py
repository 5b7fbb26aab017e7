"""`sigstore-kms-hashivault`: lets cosign sign with a key that stays in OpenBao or Vault.

cosign starts this program for keys named `hashivault://NAME` and talks sigstore's plugin protocol,
version 1: what is wanted stands in the arguments, the message on standard input, the answer goes to
standard output as JSON. The engine is `transit`; VAULT_ADDR, VAULT_TOKEN and, for another mount,
TRANSIT_SECRET_ENGINE_PATH say where.
"""

import base64
import hashlib
import json
import os
import sys
import urllib.error
import urllib.request
from typing import Any

_ALGORITHM = "ecdsa-p256"
_SECONDS = 20.0
_ANSWER_BYTES = 1 << 20


class VaultError(Exception):
    """What the vault refused, in one line."""


def main() -> int:
    """Answer one request of cosign; 1 and an `errorMessage` when it cannot be met."""
    try:
        request = json.loads(sys.argv[2])
        answer: dict[str, Any] = {request["methodName"]: _answer(request, sys.stdin.buffer)}
    except VaultError as error:
        answer = {"errorMessage": str(error)}
    except (LookupError, ValueError, TypeError) as error:
        answer = {"errorMessage": f"not a request of cosign's plugin protocol: {error!r}"}
    print(json.dumps(answer))
    return 1 if "errorMessage" in answer else 0


def _answer(request: dict[str, Any], message: Any) -> dict[str, Any]:
    method = request["methodName"]
    name = request["initOptions"]["keyResourceID"].rpartition("://")[2]
    given = request.get(method) or {}
    if method == "defaultAlgorithm":
        return {"defaultAlgorithm": _ALGORITHM}
    if method == "supportedAlgorithms":
        return {"supportedAlgorithms": [_ALGORITHM]}
    if method == "publicKey":
        return {"publicKeyPEM": _base64(_public_key(name).encode())}
    if method == "signMessage":
        signed = _vault(f"sign/{name}/sha2-256", _hashed(given.get("signOptions"), message))
        return {"signature": signed["signature"].split(":", 2)[2]}
    raise VaultError(f"{method} is not what this program does")


def _hashed(options: dict[str, Any] | None, message: Any) -> dict[str, Any]:
    digest = ((options or {}).get("messageOptions") or {}).get("digest")
    if digest is None:
        digest = _base64(hashlib.sha256(message.read()).digest())
    return {"input": digest, "prehashed": True, "marshaling_algorithm": "asn1"}


def _public_key(name: str) -> str:
    key = _vault(f"keys/{name}", None)
    found = key["keys"][str(key["latest_version"])]["public_key"]
    if not isinstance(found, str):
        raise VaultError(f"the key {name} has no public key")
    return found


def _vault(path: str, body: dict[str, Any] | None) -> dict[str, Any]:
    address = os.environ.get("VAULT_ADDR", "")
    if not address.startswith(("http://", "https://")):
        raise VaultError("VAULT_ADDR is not the address of an OpenBao or Vault server")
    mount = os.environ.get("TRANSIT_SECRET_ENGINE_PATH", "transit")
    request = urllib.request.Request(
        f"{address.rstrip('/')}/v1/{mount}/{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"X-Vault-Token": os.environ.get("VAULT_TOKEN", "")},
    )
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
            data = json.loads(answer.read(_ANSWER_BYTES))["data"]
    except urllib.error.HTTPError as error:
        raise VaultError(f"vault: {mount}/{path}: HTTP {error.code}: {_reason(error)}") from error
    except OSError as error:
        raise VaultError(f"vault: {address} does not answer: {error}") from error
    if not isinstance(data, dict):
        raise VaultError(f"vault: {mount}/{path}: no answer of a transit engine")
    return data


def _reason(error: urllib.error.HTTPError) -> str:
    try:
        reasons = json.loads(error.read(_ANSWER_BYTES))["errors"]
        return " ".join("; ".join(reasons).split())[:200] or "no reason given"
    except (ValueError, LookupError, TypeError):
        return "no reason given"


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
