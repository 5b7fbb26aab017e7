"""Settings come from the environment; secrets do not show by accident."""

from pathlib import Path

import pytest

from regreen.errors import UsageError
from regreen.settings import load_settings


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (
        "REGREEN_STATE",
        "REGREEN_ARTIFACTS",
        "REGREEN_OPENAI_TIMEOUT",
        "REGREEN_OPENAI_INPUT_USD",
        "XDG_STATE_HOME",
    ):
        monkeypatch.delenv(name, raising=False)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def test_state_lies_in_the_users_state_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load_settings().state == tmp_path / "home" / ".local" / "state" / "regreen"

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    assert load_settings().state == tmp_path / "xdg" / "regreen"

    monkeypatch.setenv("REGREEN_STATE", str(tmp_path / "mine"))
    assert load_settings().state == tmp_path / "mine"


def test_an_empty_variable_counts_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REGREEN_STATE", "REGREEN_ARTIFACTS", "OPENAI_API_KEY", "OPENAI_MODEL"):
        monkeypatch.setenv(name, "")

    settings = load_settings()

    assert settings.state.name == "regreen"
    assert settings.artifacts is None
    assert settings.openai_api_key is None
    assert settings.openai_model


def test_the_artifact_store_is_a_folder_of_the_state_unless_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGREEN_STATE", str(tmp_path / "with space"))
    assert load_settings().artifacts_url == (tmp_path / "with space" / "artifacts").as_uri()
    assert load_settings().cache == tmp_path / "with space" / "cache"

    monkeypatch.setenv("REGREEN_ARTIFACTS", "s3://bucket/prefix")
    assert load_settings().artifacts_url == "s3://bucket/prefix"


def test_well_known_variables_keep_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "key-value")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    monkeypatch.setenv("OPENAI_MODEL", "local-model")

    settings = load_settings()

    assert settings.openai_api_key is not None
    assert settings.openai_api_key.get_secret_value() == "key-value"
    assert settings.openai_base_url == "http://127.0.0.1:1/v1"
    assert settings.openai_model == "local-model"


def test_a_key_does_not_show_when_settings_are_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "key-value")

    settings = load_settings()

    assert "key-value" not in repr(settings) + str(settings) + settings.model_dump_json()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("REGREEN_OPENAI_TIMEOUT", "soon"),
        ("REGREEN_OPENAI_TIMEOUT", "0"),
        ("REGREEN_OPENAI_INPUT_USD", "-1"),
        ("REGREEN_ALERT_SUCCESS_RATE", "80"),
        ("REGREEN_ALERT_RUNS", "4"),
    ],
)
def test_a_value_that_cannot_be_is_one_line_with_the_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(UsageError, match=rf"^{variable}: Input should be [^\n]+$"):
        load_settings()


def test_the_addresses_of_places_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SLACK_WEBHOOK", "DISCORD_WEBHOOK", "REGREEN_NOTIFY"):
        monkeypatch.setenv(name, "https://places.example/hidden")

    settings = load_settings()

    assert "hidden" not in repr(settings) + str(settings) + settings.model_dump_json()


def test_a_kind_of_announcement_that_does_not_exist_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REGREEN_NOTIFY_KINDS", "failed fialed")
    with pytest.raises(UsageError, match=r"^REGREEN_NOTIFY_KINDS: .*no kind `fialed`; kinds: s"):
        load_settings()
    monkeypatch.setenv("REGREEN_NOTIFY_KINDS", "stage")
    with pytest.raises(UsageError, match="no kind `stage`"):
        load_settings()


@pytest.mark.parametrize(("value", "seconds"), [("90", 90.0), ("1.5h", 5400.0), ("10m", 600.0)])
def test_a_threshold_of_time_is_in_seconds_or_has_a_unit(
    monkeypatch: pytest.MonkeyPatch, value: str, seconds: float
) -> None:
    monkeypatch.setenv("REGREEN_ALERT_P95", value)
    assert load_settings().alert_p95 == seconds


KEYLESS = {
    "FULCIO_URL": "https://fulcio.example.org",
    "FULCIO_CERTIFICATES": "/etc/regreen/fulcio.pem",
    "CERTIFICATE_IDENTITY": "release@example.org",
    "CERTIFICATE_OIDC_ISSUER": "https://accounts.example.org",
    "REKOR_URL": "https://rekor.example.org",
}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"REKOR_URL": ""}, "needs REGREEN_REKOR_URL or REGREEN_TIMESTAMP_URL"),
        ({"FULCIO_CERTIFICATES": ""}, "REGREEN_FULCIO_URL needs REGREEN_FULCIO_CERTIFICATES"),
        ({"CERTIFICATE_IDENTITY": ""}, "REGREEN_FULCIO_URL needs REGREEN_CERTIFICATE_IDENTITY"),
        ({"CERTIFICATE_OIDC_ISSUER": ""}, "needs REGREEN_CERTIFICATE_OIDC_ISSUER"),
        ({"CERTIFICATE_IDENTITY": "two words"}, "REGREEN_CERTIFICATE_IDENTITY"),
        ({"SIGNING_KEY": "hashivault://release"}, "unset the other"),
    ],
)
def test_signing_without_a_key_is_set_up_whole_or_nothing_starts(
    changed: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**KEYLESS, **changed}.items():
        monkeypatch.setenv(f"REGREEN_{name}", value)
    with pytest.raises(UsageError) as caught:
        load_settings()
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("witness", ["REKOR_URL", "TIMESTAMP_URL"])
def test_a_log_or_an_authority_is_enough_to_sign_without_a_key(
    witness: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**KEYLESS, "REKOR_URL": "", witness: "https://x.example.org"}.items():
        monkeypatch.setenv(f"REGREEN_{name}", value)
    assert load_settings().fulcio_url == KEYLESS["FULCIO_URL"]
