"""Release folders on disk with real signatures: drafting, publishing, tampering, verifying."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from temporalio.exceptions import ApplicationError

from activities import release_verification
from activities.artifact_store import put_bytes
from activities.cosign import sign_files
from activities.release_folder import (
    discard_draft,
    draft_release_folder,
    publish_release_folder,
    write_checksums,
)
from activities.release_verification import verify_published_release, verify_release
from regreen.contracts.checklist import ChecklistItem, Evidence
from regreen.contracts.release import (
    ChecksumRequest,
    Expectations,
    FolderRequest,
    PublishedRelease,
    ReleaseFile,
    SignRequest,
)
from regreen.errors import UsageError
from starters.verification import verify
from tests.integration.wheel_project import need
from tests.met_checklist import met_checklist

WHEEL = "shop-1.0.0-py3-none-any.whl"
CYCLONEDX = "shop-1.0.0.cdx.json"
CONTENTS = {
    WHEEL: b"a wheel",
    "shop-1.0.0.tar.gz": b"an sdist",
    CYCLONEDX: json.dumps({"components": [{"name": "shop"}]}).encode(),
    "shop-1.0.0.spdx.json": json.dumps({"packages": [{"name": "shop"}]}).encode(),
    "RELEASE_NOTES.md": b"# shop 1.0.0\n",
    "patches/0001.patch": b"--- a\n+++ b\n",
}


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need("cosign")
    monkeypatch.setenv("REGREEN_STATE", str(tmp_path / "state"))


async def _request(
    contents: dict[str, bytes] = CONTENTS, *, run: str = "run", sign: bool = True
) -> FolderRequest:
    files = [
        ReleaseFile(path=path, content=await put_bytes(path.rpartition("/")[2], data))
        for path, data in contents.items()
    ]
    if sign:
        signed = await sign_files(SignRequest(files=tuple(files)))
        assert signed.public_key is not None
        files += [*signed.bundles, ReleaseFile(path="cosign.pub", content=signed.public_key)]
    sums = await write_checksums(ChecksumRequest(files=tuple(files)))
    files.append(ReleaseFile(path="SHA256SUMS", content=sums))
    if sign:
        files += (await sign_files(SignRequest(files=(files[-1],)))).bundles
    return FolderRequest(
        run=run,
        repository="example/shop",
        version="1.0.0",
        files=tuple(files),
    )


async def _published(contents: dict[str, bytes] = CONTENTS, *, sign: bool = True) -> Path:
    request = await _request(contents, sign=sign)
    await draft_release_folder(request)
    return Path((await publish_release_folder(request)).directory)


@pytest.fixture(scope="module")
async def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published release, signed once for all tests that spoil a copy of it."""
    need("cosign")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REGREEN_STATE", str(tmp_path_factory.mktemp("original")))
        return await _published()


@pytest.fixture
def place(original: Path, tmp_path: Path) -> Path:
    """A copy of the published release."""
    return Path(shutil.copytree(original, tmp_path / "release"))


async def test_published_folder_is_complete_and_sha256sum_agrees(tmp_path: Path) -> None:
    request = await _request()
    draft = await draft_release_folder(request)
    place = tmp_path / "state" / "releases" / "example" / "shop" / "1.0.0"
    assert not place.exists()
    receipt = await publish_release_folder(request)
    assert (receipt.directory, receipt.adopted) == (str(place), False)
    assert not Path(draft.directory).exists()
    found = {path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()}
    expected = {*CONTENTS, *(f"{path}.bundle" for path in CONTENTS)}
    assert found == expected | {"cosign.pub", "SHA256SUMS", "SHA256SUMS.bundle"}
    subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"],
        cwd=place,
        check=True,
        capture_output=True,
    )
    report = verify_release(place)
    assert (report.ok, report.signed) == (True, True), report.summary
    assert report.key == hashlib.sha256((place / "cosign.pub").read_bytes()).hexdigest()


async def test_publishing_again_adopts_the_same_bytes() -> None:
    place = await _published()
    before = {path: path.stat().st_ino for path in place.rglob("*")}
    again = await _request(run="another run")
    draft = await draft_release_folder(again)
    receipt = await publish_release_folder(again)
    assert receipt.adopted
    assert {path: path.stat().st_ino for path in place.rglob("*")} == before
    assert not Path(draft.directory).exists()


async def test_other_bytes_halt_and_name_both_digests() -> None:
    place = await _published()
    before = (place / "SHA256SUMS").read_bytes()
    other = await _request({**CONTENTS, WHEEL: b"another wheel"}, run="another run")
    draft = await draft_release_folder(other)
    with pytest.raises(ApplicationError) as caught:
        await publish_release_folder(other)
    assert (caught.value.type, caught.value.non_retryable) == ("ReleaseConflict", True)
    assert hashlib.sha256(before).hexdigest()[:12] in caught.value.message
    assert draft.sums[:12] in caught.value.message
    assert (place / "SHA256SUMS").read_bytes() == before


async def test_a_lost_draft_is_laid_out_again() -> None:
    request = await _request()
    draft = await draft_release_folder(request)
    shutil.rmtree(draft.directory)
    assert verify_release(Path((await publish_release_folder(request)).directory)).ok


async def test_discarding_removes_the_draft_and_never_a_release() -> None:
    request = await _request()
    draft = await draft_release_folder(request)
    assert await discard_draft(request)
    assert not Path(draft.directory).exists()
    assert not await discard_draft(request)
    place = await _published()
    assert not await discard_draft(request)
    assert verify_release(place).ok


async def test_a_releases_folder_that_is_a_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("REGREEN_RELEASES", str(tmp_path / "file"))
    with pytest.raises(ApplicationError, match="cannot write to") as caught:
        await draft_release_folder(await _request(sign=False))
    assert (caught.value.type, caught.value.non_retryable) == ("ReleaseRefused", True)


async def test_the_operator_chooses_the_releases_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGREEN_RELEASES", str(tmp_path / "out"))
    request = await _request()
    receipt = await publish_release_folder(request)
    assert receipt.directory == str(tmp_path / "out" / request.repository / "1.0.0")


async def test_names_that_differ_only_in_case_are_refused() -> None:
    with pytest.raises(ApplicationError, match="two files") as caught:
        await _request({**CONTENTS, WHEEL.upper(): b"x"}, sign=False)
    assert caught.value.type == "ReleaseRefused"


def test_a_path_out_of_the_folder_is_no_release_file() -> None:
    for path in ("../evil", "/etc/passwd", "patches/../../evil", ".hidden", "a/b"):
        with pytest.raises(ValueError, match="pattern"):
            ReleaseFile.model_validate(
                {"path": path, "content": {"name": "x", "sha256": "0" * 64, "bytes": 0}}
            )


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def _resum(place: Path) -> None:
    """Make SHA256SUMS true again, as somebody who tampers would."""
    lines = []
    for line in (place / "SHA256SUMS").read_text().splitlines():
        path = line.partition("  ")[2]
        lines.append(f"{hashlib.sha256((place / path).read_bytes()).hexdigest()}  {path}\n")
    (place / "SHA256SUMS").write_text("".join(lines))


def _changed_wheel_and_sums(place: Path) -> None:
    _flip(place / WHEEL)
    _resum(place)


def _swapped_bundles(place: Path) -> None:
    one, two = place / f"{WHEEL}.bundle", place / f"{CYCLONEDX}.bundle"
    kept = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(kept)
    _resum(place)


def _link(place: Path) -> None:
    shutil.copy(place / WHEEL, place.parent / "elsewhere")
    (place / WHEEL).unlink()
    (place / WHEEL).symlink_to(place.parent / "elsewhere")


def _escape(place: Path) -> None:
    outside = place.parent / "outside"
    outside.write_bytes(b"x")
    with (place / "SHA256SUMS").open("a") as file:
        file.write(f"{hashlib.sha256(b'x').hexdigest()}  ../outside\n")


def _empty_bill(place: Path) -> None:
    (place / CYCLONEDX).write_text('{"components": []}')
    _resum(place)


TAMPERINGS: dict[str, tuple[Callable[[Path], object], str]] = {
    "wheel": (lambda place: _flip(place / WHEEL), WHEEL),
    "bill of materials": (lambda place: _flip(place / CYCLONEDX), CYCLONEDX),
    "bundle": (lambda place: _flip(place / f"{WHEEL}.bundle"), f"{WHEEL}.bundle"),
    "checksums": (lambda place: _flip(place / "SHA256SUMS"), "SHA256SUMS"),
    "signature of checksums": (lambda place: _flip(place / "SHA256SUMS.bundle"), "SHA256SUMS"),
    "missing file": (lambda place: (place / WHEEL).unlink(), WHEEL),
    "missing patch": (lambda place: shutil.rmtree(place / "patches"), "patches/0001.patch"),
    "missing bundle": (lambda place: (place / f"{WHEEL}.bundle").unlink(), f"{WHEEL}.bundle"),
    "missing key": (lambda place: (place / "cosign.pub").unlink(), "cosign.pub"),
    "missing checksums": (lambda place: (place / "SHA256SUMS").unlink(), "SHA256SUMS"),
    "extra file": (lambda place: (place / "extra.whl").write_text("x"), "extra.whl"),
    "wheel with checksums made anew": (_changed_wheel_and_sums, WHEEL),
    "bundles swapped": (_swapped_bundles, WHEEL),
    "symbolic link": (_link, WHEEL),
    "path out of the folder": (_escape, "../outside"),
    "empty bill of materials": (_empty_bill, CYCLONEDX),
}


@pytest.mark.parametrize("case", TAMPERINGS)
def test_tampering_is_found_and_named(case: str, place: Path) -> None:
    tamper, culprit = TAMPERINGS[case]
    tamper(place)
    report = verify_release(place)
    assert not report.ok
    assert not report.signed
    bad = {row.path: row.detail for row in report.rows if not row.ok}
    assert bad.get(culprit), bad


def test_the_untouched_copy_is_good(place: Path) -> None:
    assert verify_release(place).ok


async def test_a_spoilt_published_release_is_an_error_that_is_not_retried(place: Path) -> None:
    (place / WHEEL).unlink()
    with pytest.raises(ApplicationError, match="is listed in SHA256SUMS and not there") as caught:
        await verify_published_release(PublishedRelease(directory=str(place), public_key=None))
    assert (caught.value.type, caught.value.non_retryable) == ("ReleaseInvalid", True)


async def test_a_release_signed_all_over_with_another_key_is_not_the_publishers(
    original: Path,
) -> None:
    place = await _published()
    assert verify_release(place).ok
    report = verify_release(place, original / "cosign.pub")
    assert not report.ok
    assert "is not the key to trust" in {row.detail for row in report.rows}


async def test_a_release_without_signatures_is_whole_but_nobodys(original: Path) -> None:
    signatures = ChecklistItem(name="signatures", state="off", detail="signed elsewhere")
    checklist = met_checklist().replaced(signatures).model_dump_json().encode()
    place = await _published({**CONTENTS, "checklist.json": checklist}, sign=False)
    unsigned = verify_release(place)
    assert (unsigned.ok, unsigned.signed) == (True, False)
    assert "nothing is signed" in unsigned.summary
    assert not verify_release(place, original / "cosign.pub").ok


async def test_a_release_that_was_stripped_of_its_signatures_is_refused() -> None:
    nothing = verify_release(await _published(sign=False))
    assert not nothing.ok
    assert "checklist.json: is needed where nothing is signed" in nothing.summary


@pytest.mark.parametrize("state", ["met", "unneeded"])
async def test_a_checklist_that_tells_of_signatures_is_refused_without_any(
    state: Literal["met", "unneeded"],
) -> None:
    evidence = (Evidence(kind="tree", name="tree", digest="a" * 40),)
    told = ChecklistItem(name="signatures", state=state, detail="all", evidence=evidence)
    checklist = met_checklist().replaced(told).model_dump_json().encode()
    stripped = verify_release(
        await _published({**CONTENTS, "checklist.json": checklist}, sign=False)
    )
    assert not stripped.ok
    assert "checklist.json: does not say that nothing is signed" in stripped.summary


def test_without_cosign_a_signed_folder_is_not_ok(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(release_verification, "find", lambda name: None)
    report = verify_release(place)
    assert not report.ok
    wheel = next(row for row in report.rows if row.path == WHEEL)
    assert (wheel.digest, wheel.signature) == ("ok", "unchecked")
    assert "regreen tools install" in report.summary


async def test_the_published_release_is_verified_with_the_publishers_key() -> None:
    request = await _request()
    place = (await publish_release_folder(request)).directory
    key = next(file.content for file in request.files if file.path == "cosign.pub")
    report = await verify_published_release(PublishedRelease(directory=place, public_key=key))
    assert report.signed


@pytest.mark.parametrize("json", [False, True], ids=["table", "json"])
async def test_names_that_steer_a_terminal_are_shown_and_obeyed_by_nobody(
    json: bool, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in (b"[", b"\x1b[31mred\n", b"\xff"):
        (Path(os.fsdecode(os.fsencode(place) + b"/" + name))).mkdir()
    for name in (b"[/red]", b"\x1b[31mred\n/x", b"\xff/[bold]x"):
        Path(os.fsdecode(os.fsencode(place) + b"/" + name)).touch()
    assert await verify(place, None, None, Expectations(), json=json) == 1
    said = capsys.readouterr().out
    assert "\x1b" not in said
    for name in ("[/red]", "[31mred", "[bold]x"):
        assert name in said
    said.encode()


def test_a_file_that_cannot_be_read_is_a_usage_error(place: Path) -> None:
    (place / "cosign.pub").chmod(0)
    rights = "-dac_override,-dac_read_search"
    as_anybody = ["setpriv", "--inh-caps", rights, "--bounding-set", rights]
    said = subprocess.run(
        [*(as_anybody if os.geteuid() == 0 else []), sys.executable, "-m", "regreen"]
        + ["verify", str(place)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 2
    assert said.stderr.startswith("error: ")
    assert "cosign.pub cannot be read" in " ".join(said.stderr.split())


def test_no_folder_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such folder"):
        verify_release(tmp_path / "nowhere")
