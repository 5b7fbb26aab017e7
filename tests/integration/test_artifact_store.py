"""The artifact store in a folder: named by content, whole or not there, verified when read."""

import asyncio
import hashlib
import secrets
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError

from activities.artifact_store import get_bytes, get_file, local_path, put_bytes, put_file
from regreen.contracts.artifacts import ArtifactRef
from regreen.settings import load_settings

pytestmark = pytest.mark.usefixtures("own_state")


def _path(ref: ArtifactRef) -> Path:
    path = local_path(ref, load_settings().artifacts_url)
    assert path is not None
    return path


def _files(state: Path) -> list[Path]:
    return [path for path in (state / "artifacts").rglob("*") if path.is_file()]


@pytest.mark.parametrize("data", [b"", b"text\r\n", bytes(range(256)) * 8192])
async def test_what_is_put_is_got(data: bytes, tmp_path: Path) -> None:
    ref = await put_bytes("value.bin", data, "application/x-test")

    assert ref == ArtifactRef(
        name="value.bin",
        sha256=hashlib.sha256(data).hexdigest(),
        bytes=len(data),
        media_type="application/x-test",
    )
    assert await get_bytes(ref) == data
    await get_file(ref, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == data


async def test_a_file_and_its_bytes_are_one_value(own_state: Path, tmp_path: Path) -> None:
    data = secrets.token_bytes(3 << 20)
    (tmp_path / "large").write_bytes(data)

    by_file = await put_file(tmp_path / "large", name="renamed")
    by_bytes = await put_bytes("other", data)

    assert by_file.name == "renamed"
    assert by_file.sha256 == by_bytes.sha256
    assert len(_files(own_state)) == 1


async def test_many_writers_of_one_value_leave_one_whole_value(own_state: Path) -> None:
    data = secrets.token_bytes(1 << 20)

    refs = await asyncio.gather(*(put_bytes("same", data) for _ in range(20)))

    assert len({ref.sha256 for ref in refs}) == 1
    assert await get_bytes(refs[0]) == data
    assert len(_files(own_state)) == 1, "no partial files remain"


async def test_a_value_is_read_whole_while_it_is_written(own_state: Path) -> None:
    data = secrets.token_bytes(8 << 20)
    ref = ArtifactRef(name="v", sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))
    writing = asyncio.create_task(put_bytes("v", data))
    while not writing.done():
        try:
            assert await get_bytes(ref) == data
        except ApplicationError as error:
            assert error.type == "ArtifactMissing"
        await asyncio.sleep(0)

    await writing

    assert await get_bytes(ref) == data


@pytest.mark.parametrize("change", ["flipped", "cut", "longer"])
async def test_a_corrupt_value_is_found_out(change: str, tmp_path: Path) -> None:
    data = bytearray(secrets.token_bytes(100_000))
    ref = await put_bytes("value", bytes(data))
    data[50_000] ^= 1
    wrong = {"flipped": bytes(data), "cut": bytes(data[:99]), "longer": bytes(data) + b"x"}
    _path(ref).write_bytes(wrong[change])

    with pytest.raises(ApplicationError, match="artifact value is corrupt") as raised:
        await get_bytes(ref)
    assert raised.value.type == "ArtifactCorrupt"
    assert raised.value.non_retryable
    with pytest.raises(ApplicationError, match="corrupt"):
        await get_file(ref, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


async def test_a_value_cut_by_a_crash_is_mended_by_putting_it_again() -> None:
    ref = await put_bytes("value", b"whole value")
    _path(ref).write_bytes(b"whole")

    assert await put_bytes("value", b"whole value") == ref

    assert await get_bytes(ref) == b"whole value"


async def test_a_missing_value_may_come_yet(tmp_path: Path) -> None:
    ref = ArtifactRef(name="gone", sha256="0" * 64, bytes=1)

    with pytest.raises(ApplicationError, match=r"gone .* is not in the store") as raised:
        await get_bytes(ref)
    assert raised.value.type == "ArtifactMissing"
    assert not raised.value.non_retryable
    with pytest.raises(ApplicationError, match="is not in the store"):
        await get_file(ref, tmp_path / "copy")


async def test_a_link_is_not_stored(own_state: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "link").symlink_to(tmp_path / "secret")

    with pytest.raises(ApplicationError, match="link is a symbolic link") as raised:
        await put_file(tmp_path / "link")

    assert raised.value.type == "ArtifactRefused"
    assert _files(own_state) == []


async def test_names_and_folders_with_odd_characters(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REGREEN_STATE", str(tmp_path / "with space & %41 é"))

    ref = await put_bytes("../../escape", b"value")

    assert await get_bytes(ref) == b"value"
    assert _path(ref).is_relative_to(tmp_path / "with space & %41 é")
    assert _path(ref).read_bytes() == b"value"
