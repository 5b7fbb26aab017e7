"""Signatures entered in a transparency log, with both generations of cosign."""

import base64
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.artifact_store import put_bytes
from activities.cosign import sign_files
from regreen.contracts.release import ReleaseFile, SignRequest
from regreen.tools.catalogue import DebianPackage
from regreen.tools.debian import unpack_debian_package
from tests.doubles.transparency_log import TransparencyLogDouble, transparency_log
from tests.integration.signed_contents import bundle_of, cosign_refusal, signed_contents


@pytest.fixture
def log(
    own_state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[TransparencyLogDouble]:
    """A log that the settings name."""
    with transparency_log() as double:
        monkeypatch.setenv("REGREEN_REKOR_URL", double.address)
        monkeypatch.setenv("REGREEN_REKOR_KEY", str(double.write_key(tmp_path / "rekor.pub")))
        yield double


async def test_cosign_accepts_the_entries(
    generation: str, log: TransparencyLogDouble, tmp_path: Path
) -> None:
    signed = await signed_contents(b"one", b"two", b"three")

    assert len(log.entries) == 1 + 3
    for number, content in enumerate((b"one", b"two", b"three")):
        bundle = await bundle_of(signed, number)
        assert await cosign_refusal(tmp_path / "out", signed, bundle, content) is None


async def test_what_is_signed_again_is_not_entered_again(
    generation: str, log: TransparencyLogDouble
) -> None:
    first = await signed_contents(b"one")
    second = await signed_contents(b"one")

    assert first == second
    assert len(log.entries) == 1 + 1


async def test_what_is_not_for_the_public_is_signed_and_not_entered(
    log: TransparencyLogDouble,
) -> None:
    file = ReleaseFile(path="audit.jsonl", content=await put_bytes("audit.jsonl", b"{}"))

    signed = await sign_files(SignRequest(files=(file,), logged=False))

    assert signed.trusted_root is None
    assert "tlogEntries" not in (await bundle_of(signed))["verificationMaterial"]
    assert len(log.entries) == 1


@pytest.mark.parametrize("when", ["before", "after"])
async def test_an_answer_that_was_lost_is_adopted(
    log: TransparencyLogDouble, tmp_path: Path, when: str
) -> None:
    log.fails = [when]
    with pytest.raises(ApplicationError) as raised:
        await signed_contents(b"one")
    assert raised.value.type == "LogUnavailable"
    assert not raised.value.non_retryable
    assert log.address in raised.value.message

    signed = await signed_contents(b"one")

    assert len(log.entries) == 1 + 1
    assert await cosign_refusal(tmp_path / "out", signed, await bundle_of(signed), b"one") is None
    uuid = log.entries[-1].uuid
    adopted = f"GET /api/v1/log/entries/{uuid}" in log.asked
    assert adopted == (when == "after")


async def test_a_log_that_is_down_is_waited_for(
    log: TransparencyLogDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGREEN_REKOR_URL", "http://127.0.0.1:9")
    with pytest.raises(ApplicationError, match="waits for the transparency log") as raised:
        await signed_contents(b"one")
    assert not raised.value.non_retryable


async def test_another_log_than_the_key_names_is_refused(
    log: TransparencyLogDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with transparency_log() as other:
        monkeypatch.setenv("REGREEN_REKOR_KEY", str(other.write_key(tmp_path / "other.pub")))
        with pytest.raises(ApplicationError, match="the log's entry is refused") as raised:
            await signed_contents(b"one")
    assert raised.value.non_retryable


async def test_an_answer_about_another_signature_is_refused(log: TransparencyLogDouble) -> None:
    await signed_contents(b"one")
    log.swaps = True
    with pytest.raises(ApplicationError, match="about another signature") as raised:
        await signed_contents(b"two")
    assert raised.value.type == "LogRefused"


async def test_a_key_that_cannot_be_read_is_named(
    log: TransparencyLogDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGREEN_REKOR_KEY", str(tmp_path / "none.pub"))
    with pytest.raises(ApplicationError, match="REGREEN_REKOR_KEY"):
        await signed_contents(b"one")


def _without_entries(bundle: dict[str, Any], other: dict[str, Any]) -> None:
    del bundle["verificationMaterial"]["tlogEntries"]


def _entry_of_another(bundle: dict[str, Any], other: dict[str, Any]) -> None:
    bundle["verificationMaterial"]["tlogEntries"] = other["verificationMaterial"]["tlogEntries"]


def _body_of_another(bundle: dict[str, Any], other: dict[str, Any]) -> None:
    [entry] = bundle["verificationMaterial"]["tlogEntries"]
    [wrong] = other["verificationMaterial"]["tlogEntries"]
    entry["canonicalizedBody"] = wrong["canonicalizedBody"]


def _other_time(bundle: dict[str, Any], other: dict[str, Any]) -> None:
    [entry] = bundle["verificationMaterial"]["tlogEntries"]
    entry["integratedTime"] = str(int(entry["integratedTime"]) - 86400)


def _forged_promise(bundle: dict[str, Any], other: dict[str, Any]) -> None:
    [entry] = bundle["verificationMaterial"]["tlogEntries"]
    promise = bytearray(base64.b64decode(entry["inclusionPromise"]["signedEntryTimestamp"]))
    promise[-1] ^= 1
    entry["inclusionPromise"]["signedEntryTimestamp"] = base64.b64encode(promise).decode()


TAMPERED = (_without_entries, _entry_of_another, _body_of_another, _other_time, _forged_promise)


@pytest.mark.parametrize("tamper", TAMPERED)
async def test_tampered_entries_are_refused(
    generation: str, log: TransparencyLogDouble, tmp_path: Path, tamper: Any
) -> None:
    signed = await signed_contents(b"one", b"two")
    bundle, other = await bundle_of(signed, 0), await bundle_of(signed, 1)

    tamper(bundle, other)

    assert await cosign_refusal(tmp_path / "out", signed, bundle, b"one")


def _rekor_cli() -> Path:
    """The real `rekor-cli`, unpacked once into this environment."""
    kept = Path(sys.prefix) / "share" / "regreen" / "tests" / "rekor"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
            scratch, made = Path(folder) / "scratch", Path(folder) / "made"
            scratch.mkdir()
            package = DebianPackage(package="rekor", binary="usr/bin/rekor-cli", suite="trixie")
            unpack_debian_package(package, scratch, made)
            try:
                made.rename(kept)
            except OSError:
                # Another test process was first.
                assert kept.exists()
    return kept / "usr" / "bin" / "rekor-cli"


async def test_the_real_rekor_cli_accepts_the_inclusion_proofs(
    log: TransparencyLogDouble, tmp_path: Path
) -> None:
    await signed_contents(*(str(number).encode() for number in range(5)))
    client = _rekor_cli()

    def ask(*words: str) -> str:
        done = subprocess.run(
            [client, "--rekor_server", log.address, *words],
            env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    assert "Verification Successful" in ask("loginfo")
    for entry in log.entries:
        assert "Current Root Hash" in ask("verify", "--uuid", entry.uuid)
    shutil.rmtree(tmp_path / ".rekor", ignore_errors=True)
