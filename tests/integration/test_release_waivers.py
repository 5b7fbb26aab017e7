"""Waivers in a release folder: one signed OpenVEX document, checked when the folder is verified."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from activities.artifact_store import get_bytes, put_bytes
from activities.cosign import sign_files
from activities.release_folder import (
    draft_release_folder,
    publish_release_folder,
    write_checksums,
)
from activities.release_verification import verify_release
from activities.release_waivers import WAIVERS, waivers_problem, write_waivers
from regreen.contracts.gates import Waiver
from regreen.contracts.release import ChecksumRequest, FolderRequest, ReleaseFile, SignRequest
from regreen.contracts.waivers import ReleasedWaivers, WaiversRequest
from tests.integration.wheel_project import need

RELEASED_AT = "2026-11-23T10:00:00+00:00"
WHEEL = "shop-1.0.0-py3-none-any.whl"
CONTENTS = {WHEEL: b"a wheel", "shop-1.0.0.tar.gz": b"an sdist"}
SHELL = Waiver(
    rule="B602",
    subject="file:shop/*.py",
    status="not_affected",
    owner="shop team; of the shop",
    reason="the order is never a customer's text",
    expires="2027-01-31",
    document=".vex/shop.json",
)
SLOW = Waiver(
    rule="crossed-threshold",
    subject="http_req_duration:p(95)<500",
    status="affected",
    owner="payments",
    reason="replaced with the next release",
    expires="2026-12-24T08:00:00Z",
    document=".vex/load.json",
)


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need("cosign")
    monkeypatch.setenv("REGREEN_STATE", str(tmp_path / "state"))


async def _packages() -> tuple[ReleaseFile, ...]:
    return tuple(
        [
            ReleaseFile(path=path, content=await put_bytes(path, data))
            for path, data in CONTENTS.items()
        ]
    )


async def _written(*stages: tuple[Waiver, ...], at: str = RELEASED_AT) -> ReleasedWaivers:
    refs = []
    for waivers in stages:
        lines = "".join(f"{waiver.model_dump_json()}\n" for waiver in waivers)
        refs.append(await put_bytes("security.waivers.jsonl", lines.encode()))
    request = WaiversRequest(
        repository="example/shop",
        version="1.0.0",
        waivers=tuple(refs),
        packages=await _packages(),
        at=at,
    )
    return await write_waivers(request)


async def _document(written: ReleasedWaivers) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(await get_bytes(written.file.content))
    return document


async def _released(document: bytes) -> Path:
    """A release folder with this document, everything in it signed."""
    stored = ReleaseFile(path=WAIVERS, content=await put_bytes(WAIVERS, document))
    files = (*await _packages(), stored)
    signed = await sign_files(SignRequest(files=files))
    assert signed.public_key is not None
    files += (*signed.bundles, ReleaseFile(path="cosign.pub", content=signed.public_key))
    sums = await write_checksums(ChecksumRequest(files=files))
    listed = ReleaseFile(path="SHA256SUMS", content=sums)
    over = (await sign_files(SignRequest(files=(listed,)))).bundles
    folder = FolderRequest(
        run="run", repository="example/shop", version="1.0.0", files=(*files, listed, *over)
    )
    await draft_release_folder(folder)
    return Path((await publish_release_folder(folder)).directory)


async def test_each_waiver_is_a_statement_about_the_released_packages() -> None:
    document = await _document(await _written((SHELL, SLOW), (SHELL,)))

    assert document["@context"] == "https://openvex.dev/ns/v0.2.0"
    assert document["timestamp"] == RELEASED_AT
    assert set(document) == {"@context", "@id", "author", "timestamp", "version", "statements"}
    by_rule = {each["vulnerability"]["name"]: each for each in document["statements"]}
    assert len(document["statements"]) == 2
    assert by_rule["B602"]["status_notes"] == (
        "owner: shop team, of the shop; expires: 2027-01-31; from .vex/shop.json"
    )
    assert by_rule["B602"]["impact_statement"] == SHELL.reason
    assert by_rule["crossed-threshold"]["action_statement"] == SLOW.reason
    for statement in by_rule.values():
        digests = {product["hashes"]["sha-256"] for product in statement["products"]}
        assert digests == {hashlib.sha256(data).hexdigest() for data in CONTENTS.values()}
    [part] = by_rule["B602"]["products"][0]["subcomponents"]
    assert part == {"@id": "file:shop/*.py"}
    # A threshold is no IRI by itself.
    [part] = by_rule["crossed-threshold"]["products"][0]["subcomponents"]
    assert part == {"@id": "urn:regreen:subject:http_req_duration:p(95)%3C500"}


async def test_the_first_to_end_is_told() -> None:
    assert (await _written((SHELL, SLOW))).first_to_end == SLOW


async def test_a_release_that_is_made_again_has_the_same_document() -> None:
    first = await _written((SHELL,))
    assert await _written((SHELL,), at="2026-11-30T10:00:00+00:00") == first
    assert await _written((SHELL, SLOW), at="2026-11-30T10:00:00+00:00") != first


async def test_a_folder_whose_waivers_were_in_force_is_good() -> None:
    written = await _written((SHELL, SLOW))
    report = verify_release(await _released(await get_bytes(written.file.content)))
    assert (report.ok, report.signed) == (True, True), report.summary
    [row] = [row for row in report.rows if row.path == WAIVERS]
    assert (row.digest, row.signature) == ("ok", "ok")


def _of_another_release(document: dict[str, Any]) -> None:
    document["statements"][0]["products"][0]["hashes"]["sha-256"] = "0" * 64


def _without_products(document: dict[str, Any]) -> None:
    document["statements"][0]["products"] = []
    del document["statements"][1:]


def _without_end(document: dict[str, Any]) -> None:
    document["statements"][0]["status_notes"] = "owner: payments"


def _without_moment(document: dict[str, Any]) -> None:
    del document["timestamp"]


async def test_a_waiver_that_had_ended_is_refused_though_it_is_signed() -> None:
    document = await _document(await _written((SHELL, SLOW)))
    document["timestamp"] = "2026-12-24T08:00:00+00:00"
    report = verify_release(await _released(json.dumps(document).encode()))
    bad = {row.path: (row.signature, row.detail) for row in report.rows if not row.ok}
    assert not report.ok
    ended = (
        "the waiver of crossed-threshold by payments ended on 2026-12-24T08:00:00Z, "
        "and the release is of 2026-12-24T08:00:00+00:00"
    )
    assert bad == {WAIVERS: ("ok", ended)}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda document: None, ""),
        (_of_another_release, "its product with SHA-256 000000000000 is not in the folder"),
        (_without_products, "is about another release"),
        (_without_end, "no end: status_notes need"),
        (_without_moment, "names no moment of the release"),
    ],
)
async def test_a_document_that_cannot_have_been_in_force_is_refused(
    change: Callable[[dict[str, Any]], None], said: str, tmp_path: Path
) -> None:
    document = await _document(await _written((SHELL, SLOW)))
    change(document)
    path = tmp_path / WAIVERS
    path.write_text(json.dumps(document))
    listed = {file.path: file.content.sha256 for file in await _packages()}
    found = waivers_problem(path, listed)
    assert said in found
    assert bool(said) == bool(found)


@pytest.mark.parametrize("garbage", [b"", b"[]", b"null", b'{"statements": 7}', b"[" * 100_000])
def test_garbage_is_refused(garbage: bytes, tmp_path: Path) -> None:
    path = tmp_path / WAIVERS
    path.write_bytes(garbage)
    assert waivers_problem(path, {}).startswith("waives nothing: ")


async def test_a_document_that_was_taken_out_is_missed(tmp_path: Path) -> None:
    written = await _written((SHELL,))
    place = await _released(await get_bytes(written.file.content))
    copy = Path(shutil.copytree(place, tmp_path / "copy"))
    for name in (WAIVERS, f"{WAIVERS}.bundle"):
        (copy / name).unlink()
    assert not verify_release(copy).ok
