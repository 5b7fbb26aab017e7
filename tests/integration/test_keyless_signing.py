"""Signing without a key: certificates of a Fulcio, with both generations of cosign."""

import base64
import json
import subprocess
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.artifact_store import get_bytes, put_bytes
from activities.cosign import sign_files
from activities.cosign_check import refusal
from activities.transparency_log import chosen_log, enter
from regreen.contracts.release import (
    CertificateIdentity,
    ReleaseFile,
    SignedFiles,
    SignRequest,
)
from regreen.tools.locate import find
from tests.doubles.certificate_authority import (
    CertificateAuthorityDouble,
    certificate_authority,
)
from tests.doubles.identity_provider import WORKFLOW
from tests.integration.cosign_generations import GENERATIONS, use_cosign
from tests.integration.keyless_services import WHO, KeylessServices, keyless_services

ALMOST_OVER = timedelta(minutes=8, seconds=30)
"""The age at which a certificate still holds, and not for as long as its signature may need."""


@pytest.fixture
def services(
    own_state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[KeylessServices]:
    """Signing without a key, entered in a log."""
    use_cosign("2.5", monkeypatch)
    with keyless_services(tmp_path, monkeypatch) as running:
        yield running


@pytest.fixture(params=GENERATIONS)
def generation(
    request: pytest.FixtureRequest, services: KeylessServices, monkeypatch: pytest.MonkeyPatch
) -> str:
    """A generation of cosign, which signs and verifies."""
    use_cosign(request.param, monkeypatch)
    return str(request.param)


async def _signed(*contents: bytes, logged: bool = True) -> SignedFiles:
    files = [
        ReleaseFile(path=f"file-{number}", content=await put_bytes(f"file-{number}", content))
        for number, content in enumerate(contents)
    ]
    return await sign_files(SignRequest(files=tuple(files), logged=logged))


async def _bundle(signed: SignedFiles, number: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(await get_bytes(signed.bundles[number].content))
    return found


async def _refusal(
    folder: Path,
    signed: SignedFiles,
    bundle: dict[str, Any],
    content: bytes,
    who: CertificateIdentity | None = None,
    root: dict[str, Any] | None = None,
) -> str | None:
    """What cosign says of a bundle, by the trusted root that came with it or another."""
    folder.mkdir(exist_ok=True)
    assert signed.identity is not None and signed.trusted_root is not None
    own = await get_bytes(signed.trusted_root)
    (folder / "root").write_bytes(own if root is None else json.dumps(root).encode())
    (folder / "bundle").write_text(json.dumps(bundle))
    (folder / "content").write_bytes(content)
    cosign = find("cosign")
    assert cosign is not None
    places = (folder / name for name in ("bundle", "content", "root"))
    return refusal(cosign, who or signed.identity, *places)


@pytest.mark.parametrize(
    ("generation", "witnesses"),
    [("2.5", "log"), ("3.1", "log"), ("2.5", "both"), ("3.1", "stamps")],
)
async def test_cosign_accepts_what_is_signed_without_a_key(
    generation: str,
    witnesses: str,
    own_state: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use_cosign(generation, monkeypatch)
    with keyless_services(tmp_path, monkeypatch, witnesses) as services:
        signed = await _signed(b"one", b"two")

    assert (signed.public_key, signed.identity) == (None, services.identity)
    assert signed.identity_file is not None
    recorded = (await get_bytes(signed.identity_file)).decode()
    assert recorded == f"{WHO}\n{services.provider.address}\n"
    version = {"2.5": "v1", "3.1": "v2"}[generation]
    assert services.authority.asked == [f"/api/{version}/signingCert"] * 2
    for number, content in enumerate((b"one", b"two")):
        bundle = await _bundle(signed, number)
        assert await _refusal(tmp_path / "out", signed, bundle, content) is None
    other = services.identity.model_copy(update={"identity": "mallory@example.org"})
    said = await _refusal(tmp_path / "out", signed, bundle, b"two", other)
    assert said is not None
    assert "mallory@example.org" in said


async def test_a_signature_that_was_kept_is_adopted_after_its_certificate_and_without_a_token(
    services: KeylessServices,
) -> None:
    services.authority.age = ALMOST_OVER
    first = await _signed(b"one")
    services.token.unlink()
    second = await _signed(b"one")

    assert first == second
    assert len(services.authority.issued) == 1
    assert len(services.log.entries) == 1 + 1


@pytest.mark.parametrize("when", ["before", "after"])
async def test_an_answer_of_the_log_that_was_lost_is_adopted_while_the_certificate_holds(
    services: KeylessServices, tmp_path: Path, when: str
) -> None:
    services.log.fails = [when]
    with pytest.raises(ApplicationError) as raised:
        await _signed(b"one")
    assert raised.value.type == "LogUnavailable"
    services.token.unlink()

    signed = await _signed(b"one")

    assert len(services.log.entries) == 1 + 1
    assert await _refusal(tmp_path / "out", signed, await _bundle(signed), b"one") is None


async def test_a_signature_whose_certificate_ran_out_before_it_was_witnessed_is_made_anew(
    own_state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_cosign("2.5", monkeypatch)
    with keyless_services(tmp_path, monkeypatch, "both") as services:
        services.stamps.fails = [503]
        services.authority.age = ALMOST_OVER
        with pytest.raises(ApplicationError) as raised:
            await _signed(b"one")
        assert raised.value.type == "TimestampUnavailable"
        services.authority.age = timedelta()

        signed = await _signed(b"one")

    assert len(services.authority.issued) == 2
    assert await _refusal(tmp_path / "out", signed, await _bundle(signed), b"one") is None


async def test_a_certificate_that_has_run_out_signs_nothing(
    generation: str, services: KeylessServices
) -> None:
    services.authority.age = timedelta(hours=1)
    with pytest.raises(ApplicationError, match="certificate"):
        await _signed(b"one")
    assert len(services.log.entries) == 1


async def test_a_signature_made_after_its_certificate_ran_out_is_refused(
    services: KeylessServices, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed = await _signed(b"one")
    cosign, log = find("cosign"), chosen_log()
    assert cosign is not None
    assert log is not None
    services.authority.age = timedelta(hours=1)
    made, content = tmp_path / "made", tmp_path / "content"
    content.write_bytes(b"one")
    # This cosign does not look at how long its own certificate holds.
    subprocess.run(
        [cosign, "sign-blob", "--yes", "--identity-token", services.token, "--new-bundle-format"]
        + ["--fulcio-url", services.authority.address, "--insecure-skip-verify"]
        + ["--tlog-upload=false", "--bundle", made, content],
        env={"HOME": str(tmp_path)},
        check=True,
        capture_output=True,
    )
    late = await enter(log, made, None)

    for generation in GENERATIONS:
        use_cosign(generation, monkeypatch)
        said = await _refusal(tmp_path / "out", signed, late, b"one")
        assert said is not None
        assert "certificate" in said


async def test_what_is_not_for_the_public_is_signed_with_the_publishers_own_key(
    services: KeylessServices,
) -> None:
    signed = await _signed(b"{}", logged=False)

    assert signed.public_key is not None
    assert signed.identity is None
    assert (services.authority.asked, len(services.log.entries)) == ([], 1)


def _down(services: KeylessServices, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("REGREEN_FULCIO_URL", "http://127.0.0.1:9")


TROUBLES: dict[str, tuple[Callable[[KeylessServices, pytest.MonkeyPatch], object], str]] = {
    "no token": (lambda services, _: services.token.unlink(), "put a token where"),
    "an empty token": (lambda services, _: services.token.write_text(""), "has no token"),
    "nonsense": (lambda services, _: services.token.write_text("é" * 99), "no ASCII"),
    "an expired token": (
        lambda services, _: services.token.write_text(services.provider.token(minutes=-3)),
        "renew the token in",
    ),
    "a token for somebody else": (
        lambda services, _: services.token.write_text(services.provider.token(audience="other")),
        "renew the identity's token and it goes on",
    ),
    "Fulcio answers 400": (
        lambda services, _: services.authority.fails.append(400),
        "renew the identity's token and it goes on",
    ),
    "Fulcio answers 503": (
        lambda services, _: services.authority.fails.extend([503] * 9),
        "when it answers it goes on",
    ),
    "Fulcio is down": (_down, "connection refused"),
    "no certificates": (
        lambda _, patch: patch.setenv("REGREEN_FULCIO_CERTIFICATES", "/nowhere.pem"),
        "mend REGREEN_FULCIO_CERTIFICATES",
    ),
    "no log's key": (
        lambda _, patch: patch.setenv("REGREEN_CT_LOG_KEY", "/nowhere.pub"),
        "mend REGREEN_CT_LOG_KEY",
    ),
}


@pytest.mark.parametrize("case", TROUBLES)
async def test_trouble_is_a_wait_that_says_in_one_line_what_ends_it(
    case: str, services: KeylessServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    trouble, said = TROUBLES[case]
    token = services.token.read_text()
    with monkeypatch.context() as patch:
        trouble(services, patch)
        with pytest.raises(ApplicationError) as caught:
            await _signed(b"one")
    error = caught.value
    assert (error.type, error.non_retryable) == ("SigningIdentityUnavailable", False)
    assert error.message.startswith("the release waits for a certificate of http://127.0.0.1:")
    assert said in error.message
    assert "\n" not in error.message
    assert token not in error.message

    services.authority.fails.clear()
    services.token.write_text(services.provider.token())
    assert (await _signed(b"one")).bundles


async def test_a_refusal_with_the_newer_cosign_is_told_apart_from_an_outage(
    services: KeylessServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_cosign("3.1", monkeypatch)
    for status, said in ((401, "renew the identity's token"), (503, "when it answers")):
        services.authority.fails = [status] * 9
        with pytest.raises(ApplicationError, match=said) as caught:
            await _signed(b"one")
        assert (caught.value.type, caught.value.non_retryable) == (
            "SigningIdentityUnavailable",
            False,
        )


async def test_a_token_of_another_identity_than_the_operators_is_not_signed_with(
    services: KeylessServices,
) -> None:
    other = services.provider.token(sub="mallory", email="mallory@example.org")
    services.token.write_text(other)
    with pytest.raises(ApplicationError, match=r"mallory@example\.org") as caught:
        await _signed(b"one")
    assert (caught.value.type, caught.value.non_retryable) == ("SigningIdentityUnavailable", False)
    assert f"give it a token of {WHO}" in caught.value.message
    assert len(services.log.entries) == 1


@pytest.fixture
def job(services: KeylessServices, monkeypatch: pytest.MonkeyPatch) -> KeylessServices:
    """A job of GitHub Actions that may ask for its token."""
    monkeypatch.delenv("REGREEN_IDENTITY_TOKEN_FILE")
    monkeypatch.setenv("REGREEN_CERTIFICATE_IDENTITY", f"https://github.com/{WORKFLOW}")
    place = f"{services.provider.address}/job-token?api-version=2.0"
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", place)
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", services.provider.request_token)
    return services


async def test_a_job_of_github_actions_signs_with_its_own_identity(
    job: KeylessServices, tmp_path: Path
) -> None:
    signed = await _signed(b"one")

    assert job.provider.asked == ["sigstore"]
    assert signed.identity is not None
    assert signed.identity.identity == f"https://github.com/{WORKFLOW}"
    assert await _refusal(tmp_path / "out", signed, await _bundle(signed), b"one") is None


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "", "permissions: id-token: write"),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "another's", "it answered 401"),
        ("ACTIONS_ID_TOKEN_REQUEST_URL", "http://127.0.0.1:9/", "ConnectError"),
        ("ACTIONS_ID_TOKEN_REQUEST_URL", "nonsense", "gives no token"),
    ],
)
async def test_a_job_without_its_token_waits(
    variable: str, value: str, said: str, job: KeylessServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ApplicationError) as caught:
        await _signed(b"one")
    assert (caught.value.type, caught.value.non_retryable) == ("SigningIdentityUnavailable", False)
    assert said in caught.value.message
    assert job.provider.request_token not in caught.value.message


async def test_the_token_is_in_no_argument_and_in_nothing_that_stays(
    services: KeylessServices, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cosign = find("cosign")
    spy = tmp_path / "tools" / "bin" / "cosign"
    spy.parent.mkdir(parents=True)
    spy.write_text(f'#!/bin/sh\n{{ echo "$@"; env; }} >>{tmp_path}/seen\nexec {cosign} "$@"\n')
    spy.chmod(0o755)
    monkeypatch.setenv("REGREEN_TOOLS", str(tmp_path / "tools"))
    signed = await _signed(b"one")

    token = services.token.read_text()
    assert "--identity-token" in (tmp_path / "seen").read_text()
    assert token not in signed.model_dump_json()
    holding = [
        path
        for path in tmp_path.rglob("*")
        if path.is_file() and token.encode() in path.read_bytes()
    ]
    assert holding == [services.token]


def _without_entries(bundle: dict[str, Any], other: dict[str, Any]) -> None:
    del bundle["verificationMaterial"]["tlogEntries"]


def _entry_of_another(bundle: dict[str, Any], other: dict[str, Any]) -> None:
    bundle["verificationMaterial"]["tlogEntries"] = other["verificationMaterial"]["tlogEntries"]


def _certificate_of_another(bundle: dict[str, Any], other: dict[str, Any]) -> None:
    bundle["verificationMaterial"]["certificate"] = other["verificationMaterial"]["certificate"]


def _without_certificate(bundle: dict[str, Any], other: dict[str, Any]) -> None:
    del bundle["verificationMaterial"]["certificate"]
    bundle["verificationMaterial"]["publicKey"] = {"hint": "none"}


@pytest.mark.parametrize(
    ("tamper", "said"),
    [
        (_without_entries, "entry of the transparency log is missing"),
        (_entry_of_another, "is about another signature"),
        (_certificate_of_another, "is about another signature"),
        (_without_certificate, "has no certificate"),
    ],
)
async def test_tampered_bundles_are_refused(
    generation: str, services: KeylessServices, tmp_path: Path, tamper: Any, said: str
) -> None:
    signed = await _signed(b"one", b"two")
    bundle, other = await _bundle(signed, 0), await _bundle(signed, 1)

    tamper(bundle, other)

    refused = await _refusal(tmp_path / "out", signed, bundle, b"one")
    assert refused is not None
    assert said in refused


async def test_what_is_trusted_is_the_verifiers_choice(
    generation: str, services: KeylessServices, tmp_path: Path
) -> None:
    signed = await _signed(b"one")
    bundle = await _bundle(signed)
    assert signed.trusted_root is not None
    own = json.loads(await get_bytes(signed.trusted_root))
    with certificate_authority(services.provider.address) as stranger:
        others = await _root_of(stranger, tmp_path)

    for kind in ("certificateAuthorities", "ctlogs"):
        root = own | {kind: others[kind]}
        assert await _refusal(tmp_path / "out", signed, bundle, b"one", None, root), kind
    issuer = services.identity.model_copy(update={"issuer": "https://accounts.example.org"})
    said = await _refusal(tmp_path / "out", signed, bundle, b"one", issuer)
    assert said is not None
    assert "https://accounts.example.org" in said
    unknown = {kind: own[kind] for kind in own if kind != "certificateAuthorities"}
    said = await _refusal(tmp_path / "out", signed, bundle, b"one", None, unknown)
    assert said is not None
    assert "no certificate authority is known" in said


async def _root_of(authority: CertificateAuthorityDouble, folder: Path) -> dict[str, Any]:
    """The trusted root of a release that an authority vouches for."""
    with pytest.MonkeyPatch.context() as patch:
        certificates = authority.write_certificates(folder / "stranger.pem")
        patch.setenv("REGREEN_FULCIO_URL", authority.address)
        patch.setenv("REGREEN_FULCIO_CERTIFICATES", str(certificates))
        patch.setenv("REGREEN_CT_LOG_KEY", str(authority.write_log_key(folder / "stranger.pub")))
        signed = await _signed(b"of a stranger")
    assert signed.trusted_root is not None
    root: dict[str, Any] = json.loads(await get_bytes(signed.trusted_root))
    return root


async def test_certificates_need_no_logs_word_where_the_operator_names_no_log(
    generation: str, services: KeylessServices, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REGREEN_CT_LOG_KEY")
    services.authority.logged = False
    signed = await _signed(b"one")
    assert await _refusal(tmp_path / "out", signed, await _bundle(signed), b"one") is None


async def test_a_certificate_without_its_logs_word_is_not_signed_with(
    generation: str, services: KeylessServices
) -> None:
    services.authority.logged = False
    with pytest.raises(ApplicationError):
        await _signed(b"one")
    assert len(services.log.entries) == 1


async def test_openssl_reads_the_certificate_as_it_is_meant(
    services: KeylessServices, tmp_path: Path
) -> None:
    bundle = await _bundle(await _signed(b"one"))
    certificate = tmp_path / "certificate"
    encoded = bundle["verificationMaterial"]["certificate"]["rawBytes"]
    certificate.write_bytes(base64.b64decode(encoded))
    done = subprocess.run(
        ["openssl", "x509", "-inform", "der", "-in", certificate, "-noout", "-text"],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    for wanted in (f"email:{WHO}", "Code Signing", "CT Precertificate SCTs", "Signature Algorithm"):
        assert wanted in done.stdout
