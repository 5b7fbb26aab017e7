"""Deliveries are verified on the raw body with any of several secrets; nothing else passes."""

import base64
import hashlib
import hmac

import pytest

from regreen.webhooks.verification import (
    Unverified,
    check_secret,
    verify_azure,
    verify_bitbucket,
    verify_github,
    verify_gitlab,
)

# docs.github.com, "Testing the webhook payload validation".
_GITHUB_SECRET = "It's a Secret to Everybody"
_GITHUB_BODY = b"Hello, World!"
_GITHUB_SIGNATURE = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"

# standard-webhooks/standard-webhooks, the example of the specification's libraries.
_TOKEN = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
_STANDARD_BODY = b'{"test": 2432232314}'
_STANDARD_HEADERS = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
_THEN = 1614265330.0


def test_the_official_vector_of_github_passes_with_any_of_the_secrets() -> None:
    headers = {"x-hub-signature-256": _GITHUB_SIGNATURE}

    verify_github(headers, _GITHUB_BODY, [_GITHUB_SECRET])
    verify_github(headers, _GITHUB_BODY, ["the one before", _GITHUB_SECRET])


def test_the_official_vector_of_standard_webhooks_passes() -> None:
    verify_gitlab(_STANDARD_HEADERS, _STANDARD_BODY, ["another", _TOKEN], _THEN)


@pytest.mark.parametrize(
    ("headers", "body", "secrets", "reason"),
    [
        ({}, _GITHUB_BODY, [_GITHUB_SECRET], "no signature"),
        ({"x-hub-signature": "sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59"}, _GITHUB_BODY,
         [_GITHUB_SECRET], "only a SHA-1"),
        ({"x-hub-signature-256": "sha1=" + "0" * 40}, _GITHUB_BODY, [_GITHUB_SECRET],
         "not a SHA-256"),
        ({"x-hub-signature-256": _GITHUB_SIGNATURE.removeprefix("sha256=")}, _GITHUB_BODY,
         [_GITHUB_SECRET], "not a SHA-256"),
        ({"x-hub-signature-256": _GITHUB_SIGNATURE[:-1] + "8"}, _GITHUB_BODY, [_GITHUB_SECRET],
         "another"),
        ({"x-hub-signature-256": "sha256="}, _GITHUB_BODY, [_GITHUB_SECRET], "another"),
        ({"x-hub-signature-256": "sha256=ä"}, _GITHUB_BODY, [_GITHUB_SECRET], "another"),
        ({"x-hub-signature-256": _GITHUB_SIGNATURE}, b"Hello, World! ", [_GITHUB_SECRET],
         "another"),
        ({"x-hub-signature-256": _GITHUB_SIGNATURE}, _GITHUB_BODY, ["guess"], "another"),
        ({"x-hub-signature-256": _GITHUB_SIGNATURE}, _GITHUB_BODY, [], "another"),
    ],
)  # fmt: skip
def test_what_github_has_not_signed_is_refused(
    headers: dict[str, str], body: bytes, secrets: list[str], reason: str
) -> None:
    with pytest.raises(Unverified, match=reason):
        verify_github(headers, body, secrets)


def _standard(**changes: str | None) -> dict[str, str]:
    named = {f"webhook-{key}": value for key, value in changes.items()}
    return {key: value for key, value in (_STANDARD_HEADERS | named).items() if value is not None}


_SIGNATURE = _STANDARD_HEADERS["webhook-signature"]


@pytest.mark.parametrize(
    ("headers", "now", "reason"),
    [
        (_STANDARD_HEADERS, _THEN + 301, "outside of five minutes"),
        (_STANDARD_HEADERS, _THEN - 301, "outside of five minutes"),
        (_standard(timestamp="1614265331"), _THEN, "another"),
        (_standard(timestamp=None), _THEN, "no time"),
        (_standard(timestamp="-1614265330"), _THEN, "no time"),
        (_standard(timestamp="١٦١٤٢٦٥٣٣٠"), _THEN, "no time"),
        (_standard(timestamp="9" * 400), _THEN, "no time"),
        (_standard(id="msg_another"), _THEN, "another"),
        (_standard(id=None), _THEN, "no webhook-id"),
        (_standard(signature=_SIGNATURE.replace("v1,", "v2,")), _THEN, "another"),
        (_standard(signature=_SIGNATURE.removeprefix("v1,")), _THEN, "another"),
        (_standard(signature=""), _THEN, "another"),
        # It has a signature, so the token does not count.
        (_standard(signature="v1,x") | {"x-gitlab-token": "another"}, _THEN, "another"),
        # A signing token is never sent.
        ({"x-gitlab-token": _TOKEN}, _THEN, "another"),
        ({"x-gitlab-token": "guess"}, _THEN, "another"),
        ({}, _THEN, "neither"),
    ],
)
def test_what_gitlab_has_not_signed_is_refused(
    headers: dict[str, str], now: float, reason: str
) -> None:
    with pytest.raises(Unverified, match=reason):
        verify_gitlab(headers, _STANDARD_BODY, [_TOKEN, "another"], now)


def test_one_of_several_signatures_is_enough_and_the_edge_of_the_window_counts() -> None:
    headers = _standard(signature=f"v1a,abc v1,bad= {_SIGNATURE}")

    verify_gitlab(headers, _STANDARD_BODY, [_TOKEN], _THEN + 300)


def test_the_older_token_of_gitlab_passes() -> None:
    verify_gitlab({"x-gitlab-token": "the-token"}, b"{}", [_TOKEN, "the-token"], 0)


def test_bitbucket_signs_a_sha_256_in_the_header_of_the_sha_1() -> None:
    digest = hmac.new(b"secret", b"{}", hashlib.sha256).hexdigest()

    verify_bitbucket({"x-hub-signature": f"sha256={digest}"}, b"{}", ["secret"])
    for given in (f"sha1={digest[:40]}", f"sha256={digest[:-2]}", digest):
        with pytest.raises(Unverified):
            verify_bitbucket({"x-hub-signature": given}, b"{}", ["secret"])
    with pytest.raises(Unverified, match="no signature"):
        verify_bitbucket({}, b"{}", ["secret"])


def _basic(pair: str) -> dict[str, str]:
    return {"authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


@pytest.mark.parametrize(
    "headers",
    [
        _basic("azure:whole-secret"),
        _basic("anybody:password-alone"),
        {"authorization": _basic("azure:whole-secret")["authorization"].replace("Ba", "ba")},
        {"x-regreen-secret": "password-alone"},
    ],
)
def test_azure_knows_a_password_or_a_header(headers: dict[str, str]) -> None:
    verify_azure(headers, ["azure:whole-secret", "password-alone"])


@pytest.mark.parametrize(
    "headers",
    [
        {},
        _basic("somebody:whole-secret"),
        _basic("azure:"),
        _basic("azure"),
        {"authorization": "Basic ???"},
        {"authorization": "Bearer password-alone"},
        {"x-regreen-secret": "guess"},
        # Its own header does not help one whose authentication is wrong.
        _basic("azure:guess") | {"x-regreen-secret": "password-alone"},
    ],
)
def test_azure_refuses_all_others(headers: dict[str, str]) -> None:
    with pytest.raises(Unverified):
        verify_azure(headers, ["azure:whole-secret", "password-alone"])


@pytest.mark.parametrize("secret", ["whsec_", "whsec_ä", "whsec_not-base64!"])
def test_a_signing_token_that_is_none_is_noticed_at_the_start(secret: str) -> None:
    with pytest.raises(ValueError, match="base64"):
        check_secret(secret)
