"""Provenance and bills of materials, attested with both generations of cosign."""

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from activities.release_verification import verify_release
from activities.signature_services import chosen_services
from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.release import (
    Expectations,
)
from regreen.contracts.run import Review
from regreen.errors import UsageError
from tests.doubles.timestamp_authority import timestamp_authority
from tests.doubles.transparency_log import transparency_log
from tests.integration.attested_release import (
    APPROVAL,
    COMMIT,
    CONTENTS,
    CYCLONEDX,
    PACKAGE,
    PROVENANCE,
    SDIST,
    SPDX,
    WHEEL,
    attested_release,
    verify_by_script,
)
from tests.integration.cosign_generations import GENERATIONS, use_cosign

ROOT = "trusted-root.json"


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
        return generation, await attested_release()


@pytest.fixture
def place(original: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the release, with the cosign that made it."""
    use_cosign(original[0], monkeypatch)
    return Path(shutil.copytree(original[1], tmp_path / "release"))


def _statement(path: Path) -> dict[str, Any]:
    envelope = json.loads(path.read_text())["dsseEnvelope"]
    statement: dict[str, Any] = json.loads(base64.b64decode(envelope["payload"]))
    return statement


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
    said = verify_by_script(place, str(place / "cosign.pub"))
    assert (said.returncode, said.stderr) == (0, ""), said.stderr
    assert said.stdout == f"verified: {len(report.rows)} files{own}\n"


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
    assert "get the key from somewhere you trust" in verify_by_script(place).stdout


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
        assert verify_by_script(place).returncode == 1


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
    said = verify_by_script(place)
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
    assert verify_by_script(place).returncode == 1


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
    said = verify_by_script(place, str(place / "cosign.pub"), str(known))
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
    assert verify_by_script(place, str(place / "cosign.pub"), str(known)).returncode == 1


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
    assert verify_by_script(place, str(place / "cosign.pub"), str(known)).returncode == 1


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
    report = verify_release(await attested_release(approvals=approvals))
    assert not report.ok
    assert "nobody approved it, and `approval.required` is healed" in report.summary


async def test_another_checklist_than_the_provenance_tells_of_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGREEN_STATE", str(tmp_path / "state"))
    use_cosign("2.5", monkeypatch)
    other = ArtifactRef(name="checklist.json", sha256="0" * 64, bytes=1)
    report = verify_release(await attested_release(told=other))
    assert not report.ok
    assert "its checklist is not the one in the folder" in report.summary


async def test_bills_of_materials_that_differ_are_refused_though_all_is_signed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGREEN_STATE", str(tmp_path / "state"))
    use_cosign("2.5", monkeypatch)
    other = {"spdxVersion": "SPDX-2.3", "packages": [PACKAGE | {"versionInfo": "1.0.1"}]}
    place = await attested_release(changed={SPDX: json.dumps(other).encode()})
    assert verify_by_script(place).returncode == 0
    report = verify_release(place)
    bad = {row.path: (row.signature, row.detail) for row in report.rows if not row.ok}
    assert bad == {SPDX: ("ok", "1 packages; CycloneDX lists shop 1.0.0, SPDX does not")}


async def test_a_key_swapped_with_all_it_signed_is_refused_where_the_key_is_known(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGREEN_STATE", str(tmp_path / "state of another"))
    forged = await attested_release()
    known = place / "cosign.pub"
    assert verify_release(forged).ok
    pinned = Expectations(key_sha256=hashlib.sha256(known.read_bytes()).hexdigest())
    for report in (verify_release(forged, known), verify_release(forged, expected=pinned)):
        assert not report.ok
        assert "key" in report.summary
    said = verify_by_script(forged, str(known))
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
