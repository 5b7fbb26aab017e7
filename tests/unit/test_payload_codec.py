"""Encryption of what Temporal stores."""

import base64
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.exceptions import ApplicationError

from regreen.contracts.run import Review
from regreen.errors import UsageError
from regreen.settings import Settings
from workers.payload_codec import (
    ENCODING,
    KEY_ID,
    EncryptionCodec,
    UnreadablePayload,
    data_converter,
    key_id,
    payload_keys,
)

OLD, NEW = b"o" * 32, b"n" * 32
PLAIN = Payload(metadata={"encoding": b"json/plain"}, data=b'"the secret"')


def _settings(*keys: bytes) -> Settings:
    words = " ".join(base64.urlsafe_b64encode(key).decode() for key in keys)
    return Settings(payload_keys=SecretStr(words) if words else None, state=Path("state"))


async def _encrypted(*keys: bytes) -> Payload:
    [payload] = await EncryptionCodec(keys).encode([PLAIN])
    return payload


@given(st.dictionaries(st.text(max_size=20), st.binary(max_size=50)), st.binary(max_size=500))
async def test_every_payload_comes_back(metadata: dict[str, bytes], data: bytes) -> None:
    codec = EncryptionCodec([NEW])
    payload = Payload(metadata=metadata, data=data)

    [encrypted] = await codec.encode([payload])

    assert encrypted.metadata["encoding"] == ENCODING
    assert await codec.decode([encrypted]) == [payload]


async def test_nothing_of_it_is_seen_and_no_two_are_alike() -> None:
    first, second = await _encrypted(NEW), await _encrypted(NEW)
    assert b"secret" not in first.SerializeToString()
    assert b"json/plain" not in first.SerializeToString()
    assert first.data != second.data


async def test_the_first_key_encrypts_and_every_key_decrypts() -> None:
    before, after = await _encrypted(OLD), await _encrypted(NEW, OLD)
    assert before.metadata[KEY_ID] == key_id(OLD).encode()
    assert after.metadata[KEY_ID] == key_id(NEW).encode()
    assert await EncryptionCodec([NEW, OLD]).decode([before, after]) == [PLAIN, PLAIN]


@pytest.mark.parametrize("keys", [[], [OLD]])
async def test_a_key_that_is_missing_is_named(keys: Sequence[bytes]) -> None:
    message = f"encrypted with the key {key_id(NEW)}, which this process does not have"
    with pytest.raises(UnreadablePayload, match=message):
        await EncryptionCodec(keys).decode([await _encrypted(NEW)])


async def test_the_name_of_a_key_steers_no_terminal() -> None:
    payload = await _encrypted(NEW)
    payload.metadata[KEY_ID] = b"\x1b[2Jmine\nyours\x07" + 1000 * b"x"
    with pytest.raises(UnreadablePayload) as caught:
        await EncryptionCodec([NEW]).decode([payload])
    assert "the key mine yoursxxx" in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


async def test_what_was_changed_is_refused() -> None:
    codec, payload = EncryptionCodec([NEW]), await _encrypted(NEW)
    flipped = bytes([payload.data[-1] ^ 1])
    for data in (payload.data[:-1] + flipped, payload.data[:-1], payload.data[:12], b"", b"x"):
        changed = Payload(metadata=payload.metadata, data=data)
        with pytest.raises(UnreadablePayload, match="was changed after it was encrypted"):
            await codec.decode([changed])


async def test_a_payload_under_another_keys_name_is_refused() -> None:
    payload = await _encrypted(OLD)
    payload.metadata[KEY_ID] = key_id(NEW).encode()
    with pytest.raises(UnreadablePayload, match="was changed"):
        await EncryptionCodec([NEW, OLD]).decode([payload])


async def test_what_is_not_encrypted_is_read_as_it_is() -> None:
    assert await EncryptionCodec([NEW]).decode([PLAIN]) == [PLAIN]
    assert await EncryptionCodec([]).encode([PLAIN]) == [PLAIN]


async def test_values_and_errors_are_encrypted_with_their_messages() -> None:
    converter = data_converter(_settings(NEW))
    review = Review(reviewer="the reviewer", decision="approve", comment="the comment")
    [payload] = await converter.encode([review])
    assert b"the comment" not in payload.SerializeToString()
    assert await converter.decode([payload], [Review]) == [review]

    failure = Failure()
    await converter.encode_failure(ApplicationError("the reason", review, type="Red"), failure)
    assert b"the reason" not in failure.SerializeToString()
    assert b"the comment" not in failure.SerializeToString()
    error = await converter.decode_failure(failure)
    assert isinstance(error, ApplicationError)
    assert (error.message, error.type) == ("the reason", "Red")


async def test_without_keys_nothing_is_encrypted() -> None:
    [payload] = await data_converter(_settings()).encode(["plain"])
    assert payload.data == b'"plain"'


def test_keys_are_read_in_their_order() -> None:
    assert payload_keys(_settings(NEW, OLD)) == [NEW, OLD]
    assert payload_keys(_settings()) == []


@pytest.mark.parametrize("word", ["short", "a" * 44, "ä" * 43, "%" * 43, "a" * 1000])
def test_what_is_no_key_is_told_without_being_shown(word: str) -> None:
    good = base64.urlsafe_b64encode(OLD).decode()
    settings = Settings(payload_keys=SecretStr(f"{good} {word}"), state=Path("state"))
    with pytest.raises(UsageError, match="REGREEN_PAYLOAD_KEYS: key 2 of 2 is not") as caught:
        payload_keys(settings)
    assert word not in str(caught.value)
    assert good not in str(caught.value)
