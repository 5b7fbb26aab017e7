"""A release that is signed without a key: its folder, and by whose word it is verified."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.artifact_store import put_file
from activities.release_verification import verify_published_release, verify_release
from activities.trusted_root import TRUSTED_ROOT
from regreen.contracts.release import CertificateIdentity, PublishedRelease, VerificationReport
from regreen.errors import UsageError
from starters.verification import trusted_signer
from tests.integration.attested_release import (
    PROVENANCE,
    SDIST,
    WHEEL,
    attested_release,
    verify_by_script,
)
from tests.integration.cosign_generations import GENERATIONS, use_cosign
from tests.integration.keyless_services import keyless_services

ROOT = "trusted-root.json"
IDENTITY = "cosign.identity"


async def _released(folder: Path, generation: str, witnesses: str) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REGREEN_STATE", str(folder / "state"))
        use_cosign(generation, patch)
        with keyless_services(folder, patch, witnesses):
            return await attested_release()


@pytest.fixture(scope="module")
async def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A release of each generation of cosign: one entered in a log, one stamped."""
    folders = {generation: tmp_path_factory.mktemp("release") for generation in GENERATIONS}
    return {
        "2.5": await _released(folders["2.5"], "2.5", "log"),
        "3.1": await _released(folders["3.1"], "3.1", "stamps"),
    }


def _copied(originals: dict[str, Path], generation: str, folder: Path) -> Path:
    return Path(shutil.copytree(originals[generation], folder / "release"))


@pytest.fixture
def place(originals: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the release that was entered in a log."""
    use_cosign("2.5", monkeypatch)
    return _copied(originals, "2.5", tmp_path)


@pytest.fixture
def known(place: Path, tmp_path: Path) -> Path:
    """The trusted root, as somebody has it who knows it beforehand."""
    return Path(shutil.copy(place / ROOT, tmp_path / "known.json"))


def _identity(place: Path) -> CertificateIdentity:
    named, issuer = (place / IDENTITY).read_text().splitlines()
    return CertificateIdentity(identity=named, issuer=issuer)


def _bad(report: VerificationReport) -> dict[str, str]:
    assert not report.ok
    return {row.path: row.detail for row in report.rows if not row.ok}


def _by_identity(
    place: Path, known: Path, who: CertificateIdentity | None = None
) -> subprocess.CompletedProcess[str]:
    who = who or _identity(place)
    return verify_by_script(place, "--identity", who.identity, who.issuer, str(known))


@pytest.mark.parametrize("generation", GENERATIONS)
def test_all_verifiers_agree_on_the_untouched_release(
    generation: str,
    originals: dict[str, Path],
    sigstore_library: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # What one generation signed, the other verifies.
    use_cosign(next(each for each in GENERATIONS if each != generation), monkeypatch)
    place = _copied(originals, generation, tmp_path)
    known = Path(shutil.copy(place / ROOT, tmp_path / "known.json"))
    who = _identity(place)

    report = verify_release(place, who, root=known)

    assert (report.ok, report.signed, report.pinned) == (True, True, True), report.summary
    assert (report.key, report.identity, report.services) == ("", who, "pinned")
    assert report.summary.endswith(f"good, signed by {who}")
    said = _by_identity(place, known)
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout == f"verified: {len(report.rows)} files\n"
    done = subprocess.run(
        ["node", sigstore_library, place], capture_output=True, text=True, check=False
    )
    bundles = sum(path.name.endswith((".bundle", ".sigstore.json")) for path in place.rglob("*"))
    assert done.stdout == f"{bundles} bundles\n"


def test_by_its_own_word_a_folder_is_whole_and_no_more(place: Path) -> None:
    report = verify_release(place)

    assert (report.ok, report.pinned, report.services) == (True, False, "own")
    assert "the identity is the folder's own: whole, but not shown who made it" in report.summary
    named = "transparency log, certificate authority and certificate transparency log"
    assert f"by the folder's own {named}" in report.summary
    assert "the folder's own identity" in verify_by_script(place).stdout


async def test_a_folder_that_a_stranger_vouches_for_is_refused_where_the_root_is_known(
    place: Path, known: Path, tmp_path: Path
) -> None:
    who = _identity(place)
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    forged = await _released(stranger, "2.5", "log")
    # It even says that it is signed by the same identity, of the same provider.
    (forged / IDENTITY).write_bytes((place / IDENTITY).read_bytes())

    bad = _bad(verify_release(forged, who, root=known))

    assert "another transparency log, certificate authority and certificate" in bad[ROOT]
    assert {WHEEL, PROVENANCE, "SHA256SUMS"} <= set(bad)
    assert _by_identity(forged, known, who).returncode == 1


@pytest.mark.parametrize(
    "other",
    [{"identity": "mallory@example.org"}, {"issuer": "https://accounts.example.org"}],
)
def test_another_identity_or_issuer_than_the_one_to_trust_is_refused(
    other: dict[str, str], place: Path, known: Path
) -> None:
    who = _identity(place).model_copy(update=other)
    [wanted] = other.values()

    report = verify_release(place, who, root=known)

    bad = _bad(report)
    assert wanted in bad[IDENTITY]
    assert wanted in bad[WHEEL]
    assert f"not verified: {IDENTITY}: names" in report.summary
    assert _by_identity(place, known, who).returncode == 1
    # The folder may say what it wants.
    (place / IDENTITY).write_text(f"{who.identity}\n{who.issuer}\n")
    assert wanted in _bad(verify_release(place, who, root=known))[WHEEL]
    assert wanted in _by_identity(place, known, who).stderr


def _without_entry(place: Path) -> None:
    bundle = json.loads((place / f"{WHEEL}.bundle").read_text())
    del bundle["verificationMaterial"]["tlogEntries"]
    (place / f"{WHEEL}.bundle").write_text(json.dumps(bundle))


def _certificate_of_another(place: Path) -> None:
    bundle, other = (json.loads((place / f"{name}.bundle").read_text()) for name in (WHEEL, SDIST))
    certificate = other["verificationMaterial"]["certificate"]
    bundle["verificationMaterial"]["certificate"] = certificate
    (place / f"{WHEEL}.bundle").write_text(json.dumps(bundle))


def _changed_root(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def tamper(place: Path) -> None:
        root = json.loads((place / ROOT).read_text())
        change(root)
        (place / ROOT).write_text(json.dumps(root))

    return tamper


TAMPERINGS: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "no entry of the log": (_without_entry, WHEEL, "entry of the transparency log is missing"),
    "certificate of another signature": (_certificate_of_another, WHEEL, "another signature"),
    "no root": (lambda place: (place / ROOT).unlink(), WHEEL, f"no {ROOT} that shows when"),
    "no time": (_changed_root(lambda root: root.pop("tlogs")), WHEEL, f"no {ROOT} that shows when"),
    "no authority": (
        _changed_root(lambda root: root.pop("certificateAuthorities")),
        WHEEL,
        "no certificate authority is known",
    ),
    "no identity": (
        lambda place: (place / IDENTITY).write_text("release@example.org"),
        IDENTITY,
        "does not name an identity and its issuer",
    ),
    "a key beside it": (
        lambda place: (place / "cosign.pub").write_text("a key"),
        "cosign.pub",
        "is a key, and the release is to be signed by an identity",
    ),
}


@pytest.mark.parametrize("case", TAMPERINGS)
def test_tampering_is_refused_and_named(case: str, place: Path) -> None:
    tamper, culprit, why = TAMPERINGS[case]
    tamper(place)
    assert why in _bad(verify_release(place))[culprit]
    assert verify_by_script(place).returncode == 1


async def test_a_release_with_a_key_is_none_of_an_identitys_and_the_other_way_round(
    place: Path, known: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGREEN_STATE", str(tmp_path / "state of another"))
    keyed = await attested_release()

    bad = _bad(verify_release(keyed, _identity(place), root=known))
    assert "is a key, and the release is to be signed by an identity" in bad["cosign.pub"]
    assert "the bundle has no certificate" in bad[WHEEL]
    assert _by_identity(keyed, known, _identity(place)).returncode == 1

    bad = _bad(verify_release(place, keyed / "cosign.pub"))
    assert "names an identity, and the release is to be signed with a key" in bad[IDENTITY]
    assert WHEEL in bad
    assert verify_by_script(place, str(keyed / "cosign.pub")).returncode == 1


async def test_the_publisher_verifies_what_is_published_by_its_own_identity_and_root(
    place: Path, known: Path, own_state: Path
) -> None:
    request = PublishedRelease(
        directory=str(place),
        public_key=None,
        identity=_identity(place),
        trusted_root=await put_file(known, "application/json"),
    )
    assert (await verify_published_release(request)).pinned
    other = request.model_copy(
        update={"identity": CertificateIdentity(identity="mallory", issuer="https://x.example")}
    )
    with pytest.raises(ApplicationError, match="the identity to trust is mallory") as caught:
        await verify_published_release(other)
    assert (caught.value.type, caught.value.non_retryable) == ("ReleaseInvalid", True)


@pytest.mark.parametrize("kind", ["certificateAuthorities", "tlogs"])
def test_a_root_that_cannot_show_who_and_when_is_a_usage_error(
    kind: str, place: Path, known: Path
) -> None:
    root = json.loads(known.read_text())
    del root[kind]
    known.write_text(json.dumps(root))
    with pytest.raises(UsageError, match="names n"):
        verify_release(place, _identity(place), root=known)
    known.write_text(json.dumps(TRUSTED_ROOT))
    with pytest.raises(UsageError, match="names neither"):
        verify_release(place, _identity(place), root=known)


def test_an_identity_shows_nothing_without_a_root_to_trust(place: Path) -> None:
    with pytest.raises(UsageError, match="--trusted-root"):
        verify_release(place, _identity(place))


@pytest.mark.parametrize(
    ("identity", "issuer"), [("a@example.org", ""), ("", "https://x.example"), ("a b", "c")]
)
def test_identity_and_issuer_belong_together(identity: str, issuer: str, place: Path) -> None:
    with pytest.raises(UsageError, match="belong together"):
        trusted_signer(None, identity, issuer)


def test_a_key_and_an_identity_exclude_each_other(place: Path) -> None:
    with pytest.raises(UsageError, match="signed with one of them"):
        trusted_signer(place / WHEEL, "a@example.org", "https://x.example")
