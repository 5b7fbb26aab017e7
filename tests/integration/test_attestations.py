"""Provenance and bills of materials, attested with both generations of cosign."""

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from activities.artifact_store import put_bytes
from activities.cosign import attest_files, sign_files
from activities.release_checklist import write_checklist
from activities.release_folder import (
    draft_release_folder,
    publish_release_folder,
    write_checksums,
)
from activities.release_verification import verify_release
from activities.signature_services import chosen_services
from regreen.checklist import with_signatures
from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.healing import Heal
from regreen.contracts.release import (
    AttestRequest,
    ChecksumRequest,
    Expectations,
    FolderRequest,
    ReleaseFile,
    SignRequest,
)
from regreen.contracts.release_plan import ReleasePlan
from regreen.contracts.run import Review
from regreen.contracts.source import Source, Workspace
from regreen.errors import UsageError
from regreen.pipeline_file import Pipeline
from regreen.tools.locate import find
from tests.doubles.timestamp_authority import timestamp_authority
from tests.doubles.transparency_log import transparency_log
from tests.integration.cosign_generations import GENERATIONS, use_cosign
from tests.met_checklist import met_checklist

WHEEL = "shop-1.0.0-py3-none-any.whl"
SDIST = "shop-1.0.0.tar.gz"
CYCLONEDX = "shop-1.0.0.cdx.json"
SPDX = "shop-1.0.0.spdx.json"
COMPONENT = {"type": "library", "name": "shop", "version": "1.0.0"}
PACKAGE = {"SPDXID": "SPDXRef-1", "name": "shop", "versionInfo": "1.0.0"}
CONTENTS = {
    WHEEL: b"a wheel",
    SDIST: b"an sdist",
    CYCLONEDX: json.dumps(
        {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [COMPONENT]}
    ).encode(),
    SPDX: json.dumps({"spdxVersion": "SPDX-2.3", "packages": [PACKAGE]}).encode(),
    "patches/0001.patch": b"--- a\n+++ b\n",
}
COMMIT = "c" * 40
PROVENANCE = f"{WHEEL}.provenance.sigstore.json"
ROOT = "trusted-root.json"
APPROVAL = Review(reviewer="ada", decision="approve", tree="b" * 40, source="command-line")


async def _released(
    *,
    approvals: tuple[Review, ...] = (APPROVAL,),
    told: ArtifactRef | None = None,
    changed: Mapping[str, bytes] = MappingProxyType({}),
) -> Path:
    """A release; `told` is a checklist for the provenance in place of the folder's."""
    files = tuple(
        [
            ReleaseFile(path=path, content=await put_bytes(path.rpartition("/")[2], data))
            for path, data in {**CONTENTS, **changed}.items()
        ]
    )
    signatures = await sign_files(SignRequest(files=files))
    checklist = with_signatures(met_checklist(), files, signatures)
    written = await write_checklist(checklist)
    listed = ReleaseFile(path="checklist.json", content=written)
    files += (listed,)
    signed = await sign_files(SignRequest(files=files))
    assert signed.public_key is not None
    request = _request(files, approvals).model_copy(
        update={"checklist": checklist, "checklist_file": told or written}
    )
    attested = await attest_files(request)
    assert await attest_files(request) == attested
    files += (*signed.bundles, *attested.files)
    files += (ReleaseFile(path="cosign.pub", content=signed.public_key),)
    if signed.trusted_root is not None:
        files += (ReleaseFile(path="trusted-root.json", content=signed.trusted_root),)
    sums = await write_checksums(ChecksumRequest(files=files))
    listed = ReleaseFile(path="SHA256SUMS", content=sums)
    over = (await sign_files(SignRequest(files=(listed,)))).bundles
    folder = FolderRequest(
        run="run", repository="example/shop", version="1.0.0", files=(*files, listed, *over)
    )
    await draft_release_folder(folder)
    return Path((await publish_release_folder(folder)).directory)


def _request(files: tuple[ReleaseFile, ...], approvals: tuple[Review, ...]) -> AttestRequest:
    by_path = {file.path: file for file in files}
    patch = by_path["patches/0001.patch"].content
    nothing = ArtifactRef(name="x", sha256="0" * 64, bytes=0)
    source = Source(
        repository="example/shop",
        location="/repositories/shop",
        ref="main",
        commit=COMMIT,
        tree="a" * 40,
        bundle=nothing,
    )
    heal = Heal(
        stage="unit",
        healer="search",
        explanation="mended",
        patch=patch,
        failing=("test_shop.py::test_price",),
        attempts=1,
        tokens=0,
        cost_usd=0.0,
    )
    return AttestRequest(
        run=f"pipeline/example/shop/{COMMIT}",
        workspace=Workspace(source=source, patches=(patch,)),
        plan=ReleasePlan(
            version="1.0.0", tag="v1.0.0", previous_tag=None, bump="initial", notes=nothing
        ),
        commit="d" * 40,
        pipeline=Pipeline(),
        heals=(heal,),
        approvals=approvals,
        packages=(by_path[WHEEL], by_path[SDIST]),
        bills=(by_path[CYCLONEDX], by_path[SPDX]),
    )


@pytest.fixture(scope="module", params=[*GENERATIONS, "2.5 with services"])
async def original(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path]:
    """A release of each generation of cosign, and which one it was."""
    generation, _, served = request.param.partition(" ")
    folder = tmp_path_factory.mktemp("state")
    with (
        pytest.MonkeyPatch.context() as patch,
        transparency_log() as log,
        timestamp_authority() as authority,
    ):
        patch.setenv("REGREEN_STATE", str(folder))
        if served:
            patch.setenv("REGREEN_REKOR_URL", log.address)
            patch.setenv("REGREEN_REKOR_KEY", str(log.write_key(folder / "rekor.pub")))
            certificates = authority.write_certificates(folder / "authority.pem")
            patch.setenv("REGREEN_TIMESTAMP_URL", authority.address)
            patch.setenv("REGREEN_TIMESTAMP_CERTIFICATES", str(certificates))
        use_cosign(generation, patch)
        return generation, await _released()


@pytest.fixture
def place(original: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the release, with the cosign that made it."""
    use_cosign(original[0], monkeypatch)
    return Path(shutil.copytree(original[1], tmp_path / "release"))


def _statement(path: Path) -> dict[str, Any]:
    envelope = json.loads(path.read_text())["dsseEnvelope"]
    statement: dict[str, Any] = json.loads(base64.b64decode(envelope["payload"]))
    return statement


def _by_script(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    cosign = find("cosign")
    assert cosign is not None
    folder = place.parent / "bin"
    folder.mkdir(exist_ok=True)
    (folder / "cosign").unlink(missing_ok=True)
    (folder / "cosign").symlink_to(cosign)
    return subprocess.run(
        ["sh", str(place / "verify.sh"), *arguments],
        env={"PATH": f"{folder}:{os.defpath}", "HOME": str(place.parent)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_untouched_release_passes_with_regreen_and_with_the_script(place: Path) -> None:
    expected = Expectations(
        key_sha256=hashlib.sha256((place / "cosign.pub").read_bytes()).hexdigest(),
        repository="example/shop",
        commit=COMMIT,
        builder="urn:regreen:builder",
    )
    report = verify_release(place, expected=expected)
    assert (report.ok, report.pinned) == (True, True), report.summary
    assert {row.signature for row in report.rows if row.path.endswith(".sigstore.json")} == {"ok"}
    served = (place / ROOT).exists()
    own = " (transparency log and time-stamps by the folder's own word)" if served else ""
    said = _by_script(place, str(place / "cosign.pub"))
    assert (said.returncode, said.stderr) == (0, ""), said.stderr
    assert said.stdout == f"verified: {len(report.rows)} files{own}\n"


@pytest.fixture(scope="session")
def sigstore_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program beside sigstore's JavaScript libraries."""
    folder = tmp_path_factory.mktemp("sigstore")
    quiet = ["--ignore-scripts", "--no-package-lock", "--no-audit", "--no-fund", "--silent"]
    subprocess.run(
        ["npm", "install", *quiet, "@sigstore/verify@4.1.3", "@sigstore/bundle@5.0.1"],
        cwd=folder,
        check=True,
    )
    return Path(shutil.copy(Path(__file__).with_name("sigstore_verify.js"), folder))


def test_sigstores_javascript_library_agrees(place: Path, sigstore_library: Path) -> None:
    def said() -> tuple[int, str]:
        done = subprocess.run(
            ["node", sigstore_library, place], capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout

    bundles = sum(path.name.endswith((".bundle", ".sigstore.json")) for path in place.rglob("*"))
    assert said() == (0, f"{bundles} bundles\n")
    _flip(place / WHEEL)
    _resubject(place)
    code, refused = said()
    assert code == 1
    assert f"{WHEEL}.bundle: SIGNATURE_ERROR" in refused
    # With a log, its entry is what no longer fits.
    assert re.search(rf"^{re.escape(PROVENANCE)}: (SIGNATURE|TLOG_BODY)_ERROR", refused, re.M)
    assert not verify_release(place).ok


def test_a_folders_own_key_shows_that_it_is_whole_and_no_more(place: Path) -> None:
    report = verify_release(place)
    assert (report.ok, report.pinned) == (True, False)
    assert report.summary.endswith("whole, but not shown who made it")
    assert "get the key from somewhere you trust" in _by_script(place).stdout


def test_provenance_tells_commit_heals_reviewers_and_materials(place: Path) -> None:
    statement = _statement(place / PROVENANCE)
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
    (subject,) = statement["subject"]
    assert subject["digest"] == {"sha256": hashlib.sha256(b"a wheel").hexdigest()}
    definition = statement["predicate"]["buildDefinition"]
    assert definition["externalParameters"]["commit"] == COMMIT
    patch = hashlib.sha256(CONTENTS["patches/0001.patch"]).hexdigest()
    inner = definition["internalParameters"]
    assert inner["urn:regreen:heals"][0]["patch"] == {"sha256": patch}
    assert inner["urn:regreen:approvals"][0]["reviewer"] == "ada"
    checklist = hashlib.sha256((place / "checklist.json").read_bytes()).hexdigest()
    assert inner["urn:regreen:checklist"]["sha256"] == checklist
    assert inner["urn:regreen:checklist"]["items"]["tests"] == "met"
    materials = definition["resolvedDependencies"]
    assert materials[0]["digest"]["gitCommit"] == COMMIT
    assert {"name": "patches/0001.patch", "digest": {"sha256": patch}} in materials
    assert all(material["digest"] for material in materials)
    run = statement["predicate"]["runDetails"]
    assert run["builder"] == {"id": "urn:regreen:builder"}
    assert run["metadata"]["invocationId"] == f"pipeline/example/shop/{COMMIT}"


def _flip(path: Path, where: str = "middle") -> None:
    data = bytearray(path.read_bytes())
    data[{"begin": 0, "middle": len(data) // 2, "end": -1}[where]] ^= 1
    path.write_bytes(bytes(data))


def _resubject(place: Path) -> None:
    bundle = json.loads((place / PROVENANCE).read_text())
    statement = _statement(place / PROVENANCE)
    statement["subject"][0]["digest"]["sha256"] = hashlib.sha256(b"mine").hexdigest()
    payload = base64.b64encode(json.dumps(statement).encode()).decode()
    bundle["dsseEnvelope"]["payload"] = payload
    (place / PROVENANCE).write_text(json.dumps(bundle))


def _hint_of_another_key(place: Path) -> None:
    """Change the one bundle whose digest stands nowhere, where cosign passes by."""
    bundle = json.loads((place / "SHA256SUMS.bundle").read_text())
    hint = bundle["verificationMaterial"]["publicKey"]["hint"]
    bundle["verificationMaterial"]["publicKey"]["hint"] = f"x{hint[1:]}"
    (place / "SHA256SUMS.bundle").write_text(json.dumps(bundle))


def _move(one: str, other: str) -> Callable[[Path], None]:
    return lambda place: (place / other).write_bytes((place / one).read_bytes()) and None


def _entry_of_another(place: Path) -> None:
    """Let a bundle carry the entry of another artifact in the log."""
    bundle, other = (json.loads((place / f"{name}.bundle").read_text()) for name in (WHEEL, SDIST))
    entries = other["verificationMaterial"]["tlogEntries"]
    bundle["verificationMaterial"]["tlogEntries"] = entries
    (place / f"{WHEEL}.bundle").write_text(json.dumps(bundle))


def _stamp_of_another(place: Path) -> None:
    bundle, other = (json.loads((place / f"{name}.bundle").read_text()) for name in (WHEEL, SDIST))
    stamps = other["verificationMaterial"]["timestampVerificationData"]
    bundle["verificationMaterial"]["timestampVerificationData"] = stamps
    (place / f"{WHEEL}.bundle").write_text(json.dumps(bundle))


def _without_log(place: Path) -> None:
    (place / ROOT).unlink()


LOG_TAMPERINGS: dict[str, tuple[Callable[[Path], None], str]] = {
    "log entry of another artifact": (_entry_of_another, WHEEL),
    "another log": (lambda place: _flip(place / ROOT), "trusted-root.json"),
    "no log any more": (_without_log, "trusted-root.json"),
    "time-stamp of another artifact": (_stamp_of_another, WHEEL),
}
TAMPERINGS: dict[str, tuple[Callable[[Path], None], str]] = {
    "artifact": (lambda place: _flip(place / WHEEL), WHEEL),
    "bill of materials": (lambda place: _flip(place / CYCLONEDX), CYCLONEDX),
    "bundle": (lambda place: _flip(place / f"{WHEEL}.bundle"), f"{WHEEL}.bundle"),
    "provenance": (lambda place: _flip(place / PROVENANCE), PROVENANCE),
    "provenance's subject": (_resubject, PROVENANCE),
    "checksum file": (lambda place: _flip(place / "SHA256SUMS"), "SHA256SUMS"),
    "bundle of another artifact": (_move(f"{SDIST}.bundle", f"{WHEEL}.bundle"), f"{WHEEL}.bundle"),
    "provenance of another artifact": (
        _move(f"{SDIST}.provenance.sigstore.json", PROVENANCE),
        PROVENANCE,
    ),
    "what the list's bundle says of itself": (_hint_of_another_key, "SHA256SUMS"),
    "script": (lambda place: _flip(place / "verify.sh"), "verify.sh"),
    "no provenance": (lambda place: (place / PROVENANCE).unlink(), PROVENANCE),
}


@pytest.mark.parametrize("case", TAMPERINGS)
def test_tampering_is_refused_and_named(case: str, place: Path) -> None:
    tamper, culprit = TAMPERINGS[case]
    tamper(place)
    report = verify_release(place)
    bad = {row.path: row.detail for row in report.rows if not row.ok}
    assert not report.ok
    assert bad.get(culprit), bad
    if case != "script":
        assert _by_script(place).returncode == 1


def test_one_byte_of_any_file_is_found_and_the_file_is_named(place: Path) -> None:
    # With another list everything would be bad; that and its bundle are tampered with above.
    files = [
        path.relative_to(place).as_posix()
        for path in sorted(place.rglob("*"))
        if path.is_file() and path.name not in ("SHA256SUMS", "SHA256SUMS.bundle")
    ]
    for number, name in enumerate(files):
        _flip(place / name, ("begin", "middle", "end")[number % 3])
    rows = verify_release(place).rows
    assert {row.path for row in rows if row.digest == "changed" and not row.ok} == set(files)


def test_the_summary_names_what_was_changed_and_not_what_speaks_of_it(place: Path) -> None:
    _flip(place / CYCLONEDX)
    assert verify_release(place).summary.startswith(f"not verified: {CYCLONEDX}: SHA-256 is ")
    (place / "SHA256SUMS").write_bytes(b"")
    assert verify_release(place).summary.startswith("not verified: SHA256SUMS: signature refused")
    (place / "SHA256SUMS").unlink()
    assert verify_release(place).summary.startswith("not verified: SHA256SUMS: is missing")


def test_a_pipe_in_place_of_a_file_is_not_waited_for(place: Path) -> None:
    (place / WHEEL).unlink()
    os.mkfifo(place / WHEEL)
    assert verify_release(place).summary.startswith(f"not verified: {WHEEL}: is not a regular")
    said = _by_script(place)
    assert (said.returncode, said.stderr) == (1, f"NOT VERIFIED: {WHEEL}: is not a regular file\n")


@pytest.mark.parametrize("case", LOG_TAMPERINGS)
def test_tampering_with_the_log_is_refused_and_named(case: str, place: Path) -> None:
    if not (place / ROOT).exists():
        return
    tamper, culprit = LOG_TAMPERINGS[case]
    tamper(place)
    report = verify_release(place)
    bad = {row.path: row.detail for row in report.rows if not row.ok}
    assert not report.ok
    assert bad.get(culprit), bad
    if tamper is _entry_of_another:
        assert "transparency log is about another signature" in bad[WHEEL]
    assert _by_script(place).returncode == 1


def test_services_that_are_known_beforehand_are_what_the_folder_is_checked_by(
    place: Path, tmp_path: Path
) -> None:
    if not (place / ROOT).exists():
        return
    known = Path(shutil.copy(place / ROOT, tmp_path))
    own, pinned = verify_release(place), verify_release(place, root=known)
    assert (own.ok, own.services) == (True, "own")
    assert "by the folder's own transparency log and time-stamp authority" in own.summary
    assert (pinned.ok, pinned.services) == (True, "pinned")
    assert "transparency log" not in pinned.summary
    said = _by_script(place, str(place / "cosign.pub"), str(known))
    assert (said.returncode, said.stdout) == (0, f"verified: {len(pinned.rows)} files\n")


@pytest.mark.parametrize(
    ("service", "named"),
    [("tlogs", "another transparency log"), ("timestampAuthorities", "another time-stamp")],
)
def test_other_services_than_those_to_trust_are_refused(
    service: str, named: str, place: Path, tmp_path: Path
) -> None:
    if not (place / ROOT).exists():
        return
    root = json.loads((place / ROOT).read_text())
    root[service] = _services_of_another(tmp_path)[service]
    known = tmp_path / "known.json"
    known.write_text(json.dumps(root))
    report = verify_release(place, root=known)
    bad = {row.path: row.detail for row in report.rows if not row.ok}
    assert named in bad[ROOT]
    # Every signature is one of another service's then.
    assert {WHEEL, PROVENANCE, "SHA256SUMS"} <= set(bad)
    assert _by_script(place, str(place / "cosign.pub"), str(known)).returncode == 1


def _services_of_another(folder: Path) -> dict[str, Any]:
    with (
        pytest.MonkeyPatch.context() as patch,
        transparency_log() as log,
        timestamp_authority() as authority,
    ):
        certificates = authority.write_certificates(folder / "another.pem")
        patch.setenv("REGREEN_REKOR_URL", log.address)
        patch.setenv("REGREEN_REKOR_KEY", str(log.write_key(folder / "another.pub")))
        patch.setenv("REGREEN_TIMESTAMP_URL", authority.address)
        patch.setenv("REGREEN_TIMESTAMP_CERTIFICATES", str(certificates))
        root = chosen_services().root
    assert root is not None
    return root


def test_a_folder_that_was_told_to_no_log_is_refused_where_one_is_known(
    place: Path, tmp_path: Path
) -> None:
    if (place / ROOT).exists():
        return
    known = tmp_path / "known.json"
    known.write_text(json.dumps(_services_of_another(tmp_path)))
    report = verify_release(place, root=known)
    assert not report.ok
    assert {row.signature for row in report.rows} == {"bad", "none"}
    assert "its entry of the transparency log is missing" in report.summary
    assert _by_script(place, str(place / "cosign.pub"), str(known)).returncode == 1


MEDIA_TYPE = '"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1"'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no trusted root"),
        ("[]", "is no trusted root"),
        ('{"statements": []}', "is no trusted root"),
        (f'{{{MEDIA_TYPE}, "tlogs": 7}}', "is no trusted root"),
        (f'{{{MEDIA_TYPE}, "tlogs": [{{}}]}}', "is no trusted root"),
        ("[" * 100_000, "is no trusted root"),
        (f"{{{MEDIA_TYPE}}}", "names neither transparency log nor time-stamp authority"),
    ],
)
def test_what_is_no_trusted_root_is_a_usage_error(text: str, said: str, tmp_path: Path) -> None:
    known = tmp_path / "known.json"
    known.write_text(text)
    with pytest.raises(UsageError, match=said):
        verify_release(tmp_path, root=known)


@pytest.mark.parametrize(
    ("expected", "said"),
    [
        (Expectations(repository="example/other"), "repository 'example/shop', expected is"),
        (Expectations(commit="e" * 40), f"commit {COMMIT!r}, expected is"),
        (Expectations(builder="urn:other"), "builder 'urn:regreen:builder', expected is"),
        (Expectations(key_sha256="0" * 64), "is not the expected key"),
    ],
)
def test_what_is_not_as_expected_is_refused(expected: Expectations, said: str, place: Path) -> None:
    report = verify_release(place, expected=expected)
    assert not report.ok
    assert said in report.summary


@pytest.mark.parametrize("approvals", [(), (APPROVAL.model_copy(update={"reviewer": ""}),)])
async def test_a_heal_that_nobody_approved_is_refused(
    approvals: tuple[Review, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGREEN_STATE", str(tmp_path / "state"))
    use_cosign("2.5", monkeypatch)
    report = verify_release(await _released(approvals=approvals))
    assert not report.ok
    assert "nobody approved it, and `approval.required` is healed" in report.summary


async def test_another_checklist_than_the_provenance_tells_of_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGREEN_STATE", str(tmp_path / "state"))
    use_cosign("2.5", monkeypatch)
    other = ArtifactRef(name="checklist.json", sha256="0" * 64, bytes=1)
    report = verify_release(await _released(told=other))
    assert not report.ok
    assert "its checklist is not the one in the folder" in report.summary


async def test_bills_of_materials_that_differ_are_refused_though_all_is_signed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGREEN_STATE", str(tmp_path / "state"))
    use_cosign("2.5", monkeypatch)
    other = {"spdxVersion": "SPDX-2.3", "packages": [PACKAGE | {"versionInfo": "1.0.1"}]}
    place = await _released(changed={SPDX: json.dumps(other).encode()})
    assert _by_script(place).returncode == 0
    report = verify_release(place)
    bad = {row.path: (row.signature, row.detail) for row in report.rows if not row.ok}
    assert bad == {SPDX: ("ok", "1 packages; CycloneDX lists shop 1.0.0, SPDX does not")}


async def test_a_key_swapped_with_all_it_signed_is_refused_where_the_key_is_known(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGREEN_STATE", str(tmp_path / "state of another"))
    forged = await _released()
    known = place / "cosign.pub"
    assert verify_release(forged).ok
    pinned = Expectations(key_sha256=hashlib.sha256(known.read_bytes()).hexdigest())
    for report in (verify_release(forged, known), verify_release(forged, expected=pinned)):
        assert not report.ok
        assert "key" in report.summary
    said = _by_script(forged, str(known))
    assert (said.returncode, said.stderr) == (
        1,
        "NOT VERIFIED: cosign.pub is not the key to trust\n",
    )
    shutil.copy(known, forged / "cosign.pub")
    assert not verify_release(forged).ok


def test_each_generation_accepts_what_the_other_signed(
    original: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    use_cosign(next(each for each in GENERATIONS if each != original[0]), monkeypatch)
    assert verify_release(original[1]).ok
