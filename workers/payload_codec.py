"""Encrypting what Temporal stores: inputs, results, heartbeats, summaries, messages of errors.

Each payload is sealed with AES-256-GCM under a random nonce (NIST SP 800-38D). What is stored is a
payload of the encoding `binary/encrypted`, with the key's id in its metadata, and nonce and sealed
payload as its data. Payloads that are not encrypted are read as they are.
"""

import base64
import binascii
import dataclasses
import hashlib
import logging
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError
from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import (
    DataConverter,
    DefaultFailureConverterWithEncodedAttributes,
    PayloadCodec,
)

from regreen.errors import UsageError
from regreen.printable import one_line_of
from regreen.settings import Settings

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

ENCODING = b"binary/encrypted"
KEY_ID = "encryption-key-id"
_CIPHER = b"AES-256-GCM"
_KEY_BYTES = 32
_NONCE_BYTES = 12

logger = logging.getLogger(__name__)


class UnreadablePayload(UsageError):
    """A payload that this process cannot decrypt. The message is one line."""


class EncryptionCodec(PayloadCodec):
    """Encrypts with the first key, decrypts with any; without keys it encrypts nothing."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._ciphers = _ciphers(keys)
        self._told: set[str] = set()

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Encrypt each payload."""
        return [self._encrypted(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Decrypt each payload that is encrypted.

        Raises UnreadablePayload for one with an unknown key, or that was changed.
        """
        return [self._decrypted(payload) for payload in payloads]

    def _encrypted(self, payload: Payload) -> Payload:
        for known, cipher in self._ciphers.items():
            nonce = os.urandom(_NONCE_BYTES)
            sealed = cipher.encrypt(nonce, payload.SerializeToString(), ENCODING)
            metadata = {
                "encoding": ENCODING,
                "encryption-cipher": _CIPHER,
                KEY_ID: known.encode(),
            }
            return Payload(metadata=metadata, data=nonce + sealed)
        return payload

    def _decrypted(self, payload: Payload) -> Payload:
        if payload.metadata.get("encoding") != ENCODING:
            return payload
        # Whoever can write a payload can name its key as he likes.
        name = one_line_of(payload.metadata.get(KEY_ID, b"")[:64].decode("utf-8", "replace"))
        cipher = self._ciphers.get(name)
        if cipher is None:
            if name not in self._told and len(self._told) < 100:
                self._told.add(name)
                logger.error("%s", _missing(name))
            raise _missing(name)
        from cryptography.exceptions import InvalidTag

        nonce, sealed = payload.data[:_NONCE_BYTES], payload.data[_NONCE_BYTES:]
        try:
            return Payload.FromString(cipher.decrypt(nonce, sealed, ENCODING))
        except (InvalidTag, ValueError, DecodeError) as error:
            raise UnreadablePayload(
                f"a payload was changed after it was encrypted with the key {name}"
            ) from error


def _ciphers(keys: Sequence[bytes]) -> dict[str, "AESGCM"]:
    if not keys:
        return {}
    # Loaded for those that encrypt: it takes 7 MB, which every small process would pay.
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return {key_id(key): AESGCM(key) for key in keys}


def data_converter(settings: Settings) -> DataConverter:
    """How every client and worker converts values: as pydantic does, and encrypted with keys.

    Raises UsageError when REGREEN_PAYLOAD_KEYS does not hold keys.
    """
    keys = payload_keys(settings)
    # Without keys, too, so that a payload that needs one is told as that.
    converter = dataclasses.replace(pydantic_data_converter, payload_codec=EncryptionCodec(keys))
    if not keys:
        return converter
    # Messages and stack traces of errors are else stored beside the payloads.
    return dataclasses.replace(
        converter, failure_converter_class=DefaultFailureConverterWithEncodedAttributes
    )


def payload_keys(settings: Settings) -> list[bytes]:
    """The keys in REGREEN_PAYLOAD_KEYS: the first encrypts. Raises UsageError for what is none."""
    secret = settings.payload_keys
    words = secret.get_secret_value().split() if secret is not None else []
    return [_key(word, f"key {number} of {len(words)}") for number, word in enumerate(words, 1)]


def key_id(key: bytes) -> str:
    """The name of a key, which tells nothing about it."""
    return hashlib.sha256(b"regreen payload key\0" + key).hexdigest()[:16]


def _key(word: str, which: str) -> bytes:
    try:
        key = base64.b64decode(word + "=" * (-len(word) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != _KEY_BYTES:
        # The word itself may be a key with a typing error.
        raise UsageError(
            f"REGREEN_PAYLOAD_KEYS: {which} is not {_KEY_BYTES} bytes as base64url; "
            "docs/encryption.md tells how to make one"
        )
    return key


def _missing(name: str) -> UnreadablePayload:
    return UnreadablePayload(
        f"a payload is encrypted with the key {name or '(unnamed)'}, which this process does not "
        "have; add it to REGREEN_PAYLOAD_KEYS"
    )
