"""Signatures with time-stamps of an authority (RFC 3161), with both generations of cosign."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.timestamp_authority import chosen_authority
from tests.doubles.timestamp_authority import TimestampAuthorityDouble, timestamp_authority
from tests.integration.signed_contents import bundle_of, cosign_refusal, signed_contents


@pytest.fixture
def authority(
    own_state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[TimestampAuthorityDouble]:
    """An authority that the settings name."""
    with timestamp_authority() as double:
        certificates = double.write_certificates(tmp_path / "authority.pem")
        monkeypatch.setenv("REGREEN_TIMESTAMP_URL", double.address)
        monkeypatch.setenv("REGREEN_TIMESTAMP_CERTIFICATES", str(certificates))
        yield double


def _stamps(bundle: dict[str, Any]) -> list[dict[str, str]]:
    data: dict[str, list[dict[str, str]]] = bundle["verificationMaterial"][
        "timestampVerificationData"
    ]
    return data["rfc3161Timestamps"]


async def test_cosign_accepts_the_time_stamps(
    generation: str, authority: TimestampAuthorityDouble, tmp_path: Path
) -> None:
    signed = await signed_contents(b"one", b"two")

    assert len(authority.asked) == 2
    for number, content in enumerate((b"one", b"two")):
        bundle = await bundle_of(signed, number)
        assert len(_stamps(bundle)) == 1
        assert await cosign_refusal(tmp_path / "out", signed, bundle, content) is None


async def test_openssl_reads_the_request_as_it_is_meant(
    authority: TimestampAuthorityDouble, tmp_path: Path
) -> None:
    await signed_contents(b"one")

    query = tmp_path / "query"
    query.write_bytes(authority.asked[0])
    done = subprocess.run(
        ["openssl", "ts", "-query", "-in", query, "-text"],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    said = {line.strip() for line in done.stdout.splitlines()}
    assert {"Version: 1", "Hash Algorithm: sha256", "Certificate required: yes"} <= said


async def test_what_is_signed_again_is_not_stamped_again(
    generation: str, authority: TimestampAuthorityDouble
) -> None:
    first = await signed_contents(b"one")
    second = await signed_contents(b"one")

    assert first == second
    assert len(authority.asked) == 1


async def test_an_authority_in_trouble_is_waited_for(
    authority: TimestampAuthorityDouble, tmp_path: Path
) -> None:
    for status in (500, 429, 404):
        authority.fails = [status]
        with pytest.raises(ApplicationError, match=f"waits for .* answered {status}") as raised:
            await signed_contents(b"one")
        assert (raised.value.type, raised.value.non_retryable) == ("TimestampUnavailable", False)
        assert authority.address in raised.value.message

    signed = await signed_contents(b"one")

    assert await cosign_refusal(tmp_path / "out", signed, await bundle_of(signed), b"one") is None


async def test_an_answer_that_is_no_time_stamp_is_waited_for(
    authority: TimestampAuthorityDouble,
) -> None:
    for said in (b"", b"<html>", b"\x30\x82", b"\x30\x03\x30\x01\x02", b"0" * 99):
        authority.says = [said]
        with pytest.raises(ApplicationError, match="its answer is no time-stamp") as raised:
            await signed_contents(b"one")
        assert not raised.value.non_retryable


async def test_an_authority_that_is_down_is_waited_for(
    authority: TimestampAuthorityDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGREEN_TIMESTAMP_URL", "http://127.0.0.1:9")
    with pytest.raises(ApplicationError, match="waits for the time-stamp authority") as raised:
        await signed_contents(b"one")
    assert not raised.value.non_retryable


async def test_a_rejection_is_not_asked_for_again(authority: TimestampAuthorityDouble) -> None:
    authority.rejects = True
    with pytest.raises(ApplicationError, match="status 2 of RFC 3161") as raised:
        await signed_contents(b"one")
    assert (raised.value.type, raised.value.non_retryable) == ("TimestampRefused", True)


async def test_a_time_stamp_of_another_signature_is_refused(
    authority: TimestampAuthorityDouble,
) -> None:
    await signed_contents(b"one")
    authority.says = [authority.answers[0]]
    with pytest.raises(ApplicationError, match="the time-stamp is refused") as raised:
        await signed_contents(b"two")
    assert raised.value.non_retryable


async def test_another_authority_than_the_certificates_name_is_refused(
    authority: TimestampAuthorityDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with timestamp_authority() as other:
        path = other.write_certificates(tmp_path / "other.pem")
        monkeypatch.setenv("REGREEN_TIMESTAMP_CERTIFICATES", str(path))
        with pytest.raises(ApplicationError, match="the time-stamp is refused"):
            await signed_contents(b"one")


def _reversed(chain: bytes) -> bytes:
    own, root = chain.split(b"-----END CERTIFICATE-----\n")[:2]
    end = b"-----END CERTIFICATE-----\n"
    return root + end + own + end


async def test_certificates_that_are_no_chain_are_named(
    authority: TimestampAuthorityDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "changed.pem"
    monkeypatch.setenv("REGREEN_TIMESTAMP_CERTIFICATES", str(path))
    for content in (None, b"", b"garbage", _reversed(authority.certificates)):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(ApplicationError, match="REGREEN_TIMESTAMP_CERTIFICATES: ") as raised:
            chosen_authority()
        assert (raised.value.type, raised.value.non_retryable) == ("TimestampUnavailable", False)
    monkeypatch.delenv("REGREEN_TIMESTAMP_CERTIFICATES")
    with pytest.raises(ApplicationError, match="REGREEN_TIMESTAMP_CERTIFICATES is not set"):
        chosen_authority()


def _without(bundle: dict[str, Any], other: dict[str, Any]) -> None:
    del bundle["verificationMaterial"]["timestampVerificationData"]


def _none_left(bundle: dict[str, Any], other: dict[str, Any]) -> None:
    _stamps(bundle).clear()


def _of_another(bundle: dict[str, Any], other: dict[str, Any]) -> None:
    _stamps(bundle)[0] = _stamps(other)[0]


def _cut(bundle: dict[str, Any], other: dict[str, Any]) -> None:
    _stamps(bundle)[0]["signedTimestamp"] = _stamps(bundle)[0]["signedTimestamp"][:-40]


async def test_tampered_time_stamps_are_refused(
    generation: str, authority: TimestampAuthorityDouble, tmp_path: Path
) -> None:
    signed = await signed_contents(b"one", b"two")
    for tamper in (_without, _none_left, _of_another, _cut):
        bundle, other = await bundle_of(signed, 0), await bundle_of(signed, 1)
        tamper(bundle, other)
        assert await cosign_refusal(tmp_path / "out", signed, bundle, b"one"), tamper
