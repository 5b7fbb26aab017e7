"""Signing with the real cosign."""

import asyncio
import json
import os
import stat
import subprocess
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError

from activities import cosign
from activities.artifact_store import get_bytes, put_bytes
from activities.cosign import sign_files
from activities.cosign_check import offers, refusal
from activities.signing_key import own_key
from activities.trusted_root import TRUSTED_ROOT
from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.release import ReleaseFile, SignRequest
from regreen.settings import load_settings
from regreen.tools.locate import find
from tests.integration.wheel_project import need


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need("cosign")
    monkeypatch.setenv("REGREEN_STATE", str(tmp_path / "state"))


async def _files(*contents: bytes) -> tuple[ReleaseFile, ...]:
    return tuple(
        [
            ReleaseFile(path=f"file-{number}", content=await put_bytes(f"file-{number}", content))
            for number, content in enumerate(contents)
        ]
    )


async def _write(folder: Path, ref: ArtifactRef) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / ref.name).write_bytes(await get_bytes(ref))
    return folder / ref.name


async def test_bundles_are_accepted_by_cosign_itself(tmp_path: Path) -> None:
    files = await _files(b"one", b"two")
    signed = await sign_files(SignRequest(files=files))
    assert signed.skipped == ""
    assert [bundle.path for bundle in signed.bundles] == ["file-0.bundle", "file-1.bundle"]
    assert signed.public_key is not None
    key = await _write(tmp_path / "out", signed.public_key)
    root = tmp_path / "trusted-root.json"
    root.write_text(json.dumps(TRUSTED_ROOT))
    program = find("cosign")
    assert program is not None
    new = offers(program, "verify-blob", "--new-bundle-format")
    words = ["--new-bundle-format"] if new else []
    for file, bundle in zip(files, signed.bundles, strict=True):
        content = await _write(tmp_path / "out", file.content)
        signature = await _write(tmp_path / "out", bundle.content)
        subprocess.run(
            [str(program), "verify-blob", "--key", str(key), "--bundle", str(signature), *words]
            + ["--trusted-root", str(root), "--insecure-ignore-tlog=true", str(content)],
            check=True,
            capture_output=True,
            env={"HOME": str(tmp_path), "PATH": os.defpath},
        )


async def test_a_bundle_of_another_file_is_refused(tmp_path: Path) -> None:
    files = await _files(b"one", b"two")
    signed = await sign_files(SignRequest(files=files))
    assert signed.public_key is not None
    key = await _write(tmp_path / "out", signed.public_key)
    content = await _write(tmp_path / "out", files[0].content)
    wrong = await _write(tmp_path / "out", signed.bundles[1].content)
    program = find("cosign")
    assert program is not None
    assert refusal(program, key, wrong, content) is not None


async def test_signing_the_same_bytes_again_gives_the_same_bundle() -> None:
    files = await _files(b"one")
    first = await sign_files(SignRequest(files=files))
    assert await sign_files(SignRequest(files=files)) == first


async def test_equal_files_of_one_release_have_the_same_bundle() -> None:
    files = await _files(b"same", b"other", b"same")
    first, other, last = (await sign_files(SignRequest(files=files))).bundles
    assert first.content.sha256 == last.content.sha256 != other.content.sha256


async def test_a_spoilt_kept_signature_is_made_anew() -> None:
    files = await _files(b"one")
    await sign_files(SignRequest(files=files))
    (kept,) = (load_settings().state / "signatures").glob("*/*.bundle")
    kept.write_text("{}")
    again = await sign_files(SignRequest(files=files))
    assert await get_bytes(again.bundles[0].content) == kept.read_bytes() != b"{}"


async def test_key_is_made_once_by_several_at_the_same_time() -> None:
    program = find("cosign")
    assert program is not None
    folders = await asyncio.gather(*(own_key(program) for _ in range(4)))
    assert set(folders) == {load_settings().state / "keys" / "release"}
    assert sorted(path.name for path in folders[0].iterdir()) == [
        "cosign.key",
        "cosign.pub",
        "password",
    ]
    assert [path.name for path in folders[0].parent.iterdir()] == ["release"]
    await sign_files(SignRequest(files=await _files(b"signed by the pair that won")))


async def test_key_and_password_are_for_this_user_only() -> None:
    program = find("cosign")
    assert program is not None
    folder = await own_key(program)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
    for path in folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "ENCRYPTED" in (folder / "cosign.key").read_text()


async def test_without_cosign_nothing_is_signed_and_it_says_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    files = await _files(b"one")
    monkeypatch.setattr(cosign, "find", lambda name: None)
    signed = await sign_files(SignRequest(files=files))
    assert (signed.bundles, signed.public_key) == ((), None)
    assert signed.skipped == "cosign not found, `regreen tools install`"


@pytest.mark.parametrize("required", ["cosign", "release"])
async def test_without_cosign_a_release_that_requires_it_fails(
    required: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = await _files(b"one")
    monkeypatch.setattr(cosign, "find", lambda name: None)
    with pytest.raises(ApplicationError, match="regreen tools install") as caught:
        await sign_files(SignRequest(files=files, require=(required,)))
    assert (caught.value.type, caught.value.non_retryable) == ("ToolRequired", True)
