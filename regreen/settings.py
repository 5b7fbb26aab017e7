"""Settings of Regreen's processes, from the environment with the prefix `REGREEN_`.

Well-known variables keep their names: `OPENAI_API_KEY`, `OPENAI_BASE_URL`, `OPENAI_MODEL`.
"""

import os
import re
from pathlib import Path
from typing import get_args

from pydantic import (
    AliasChoices,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from regreen.contracts.announcement import AnnouncementKind
from regreen.errors import UsageError
from regreen.pipeline_file import Duration


def _default_state() -> Path:
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "regreen"


class Settings(BaseSettings):
    """What a process needs to know. Secrets are read only by the roles that hold them."""

    model_config = SettingsConfigDict(env_prefix="REGREEN_", env_ignore_empty=True, extra="ignore")

    state: Path = Field(default_factory=_default_state)
    """Folder for the server's database, artifacts, caches, local pull requests and releases."""
    artifacts: str | None = None
    """URL of the artifact store, such as `s3://bucket/prefix`. Unset: a folder in `state`."""
    ui: str | None = None
    """Address of the web UI of a server that is not the embedded one, for links."""
    releases: Path | None = None
    """Folder for published releases. Unset: `releases` in `state`."""
    payload_keys: SecretStr | None = None
    """Keys that encrypt what Temporal stores: base64url of 32 bytes each, separated by blanks. The
    first encrypts, all decrypt. Unset: nothing is encrypted."""
    codec_token: SecretStr | None = None
    """What clients of `regreen codec` have to send as bearer token. Unset: nothing."""
    trivy_database: Path | None = None
    """Trivy's cache folder, whose `db` holds advisories. Unset: dependencies are not scanned."""
    osv_url: str | None = None
    """A service with OSV's API that is asked about dependencies. Unset: no second opinion."""
    signing_key: str | None = None
    """Key that releases are signed with: `hashivault://NAME`, or the path of a cosign key whose
    password is in `COSIGN_PASSWORD`. Unset: a key of the publisher's own in `state`."""
    fulcio_url: str | None = None
    """Certificate authority (Fulcio) for releases that are signed without a key. Unset: a key."""
    fulcio_certificates: Path | None = None
    """The authority's certificates in PEM: its own first, its root last."""
    ct_log_key: Path | None = None
    """Public key in PEM of the certificate transparency log whose word certificates must have.
    Unset: they need none."""
    certificate_identity: str | None = Field(default=None, pattern=r"^\S+$")
    """Whom certificates must be made out to: an e-mail address or a URI."""
    certificate_oidc_issuer: str | None = Field(default=None, pattern=r"^\S+$")
    """The identity provider that must vouch for it."""
    identity_token_file: Path | None = None
    """File with the token that the authority is shown. Unset: the token of GitHub's job."""
    actions_token_url: str | None = Field(
        default=None, validation_alias=AliasChoices("ACTIONS_ID_TOKEN_REQUEST_URL")
    )
    actions_token: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
    )
    """With the one before: where GitHub Actions gives a job its token, and what it asks for."""
    rekor_url: str | None = None
    """Transparency log (Rekor, API v1) for signatures of releases. Unset: none."""
    rekor_key: Path | None = None
    """The log's public key in PEM."""
    timestamp_url: str | None = None
    """Time-stamp authority (RFC 3161) for signatures of releases. Unset: none."""
    timestamp_certificates: Path | None = None
    """The authority's certificates in PEM: its own first, its root last."""
    builder: str = "urn:regreen:builder"
    """Name of this installation as the builder, for the provenance of releases."""
    publish_to: str = ""
    """Addresses that the publisher may write releases to and below, separated by blanks."""
    http_authorization: SecretStr | None = None
    """The Authorization header for targets of kind `http`."""
    github_api_url: str = Field(
        default="https://api.github.com", validation_alias=AliasChoices("GITHUB_API_URL")
    )
    github_server_url: str = Field(
        default="https://github.com", validation_alias=AliasChoices("GITHUB_SERVER_URL")
    )
    """Where repositories are cloned from and their pages are."""
    github_token: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("GITHUB_TOKEN")
    )
    github_app_id: str | None = None
    """A GitHub app in place of a token, with the next two."""
    github_app_installation: int | None = None
    """The app's installation that repositories are reached through."""
    github_app_key: Path | None = None
    """PEM file with the app's private key."""
    github_hooks: str = ""
    """`OWNER/NAME=NUMBER` of hooks whose failed deliveries the reconciler asks for, by blanks."""
    twine_username: str | None = Field(
        default=None, validation_alias=AliasChoices("TWINE_USERNAME")
    )
    twine_password: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("TWINE_PASSWORD")
    )
    openai_api_key: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("OPENAI_API_KEY")
    )
    openai_base_url: str | None = Field(
        default=None, validation_alias=AliasChoices("OPENAI_BASE_URL")
    )
    openai_model: str = Field(default="gpt-5", validation_alias=AliasChoices("OPENAI_MODEL"))
    openai_timeout: float = Field(default=180.0, gt=0)
    """Seconds to wait for one whole reply of the model."""
    openai_input_usd: float | None = Field(default=None, ge=0)
    """What a million input tokens cost, in place of the list price; with the next one."""
    openai_output_usd: float | None = Field(default=None, ge=0)
    """What a million output tokens cost."""
    slack_webhook: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("SLACK_WEBHOOK")
    )
    """Address of a Slack incoming webhook that is told of runs."""
    discord_webhook: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("DISCORD_WEBHOOK")
    )
    """Address of a Discord webhook that is told of runs."""
    notify: SecretStr | None = None
    """More places that are told of runs, separated by blanks: webhooks by http or https, and
    addresses of Apprise."""
    notify_kinds: str = ""
    """What all of these are told, separated by blanks. Empty: everything."""
    alert_success_rate: float | None = Field(default=None, ge=0, le=1)
    """The least share of runs that end well."""
    alert_heal_attempts: float | None = Field(default=None, ge=0)
    """The most heal attempts of a run in the mean."""
    alert_p95: Duration | None = None
    """The most seconds that 95 of 100 runs may take."""
    alert_runs: int = Field(default=20, ge=5)
    """How many of a repository's last runs these three are about."""

    @field_validator("notify_kinds")
    @classmethod
    def _known_kinds(cls, kinds: str) -> str:
        known = [kind for kind in get_args(AnnouncementKind) if kind != "stage"]
        for kind in kinds.split():
            if kind not in known:
                raise ValueError(f"no kind `{kind}`; kinds: {' '.join(known)}")
        return kinds

    @field_validator("alert_p95", mode="before")
    @classmethod
    def _bare_seconds(cls, value: object) -> object:
        bare = isinstance(value, str) and re.fullmatch(r"\d+(\.\d+)?", value)
        return f"{value}s" if bare else value

    @property
    def announced_kinds(self) -> tuple[AnnouncementKind, ...]:
        """What the operator's places are told."""
        kinds = get_args(AnnouncementKind)
        wanted = self.notify_kinds.split()
        return tuple(kind for kind in kinds if kind != "stage" and kind in (wanted or kinds))

    @property
    def alerts(self) -> bool:
        """Whether any figure of a repository's runs has a threshold."""
        thresholds = (self.alert_success_rate, self.alert_heal_attempts, self.alert_p95)
        return any(each is not None for each in thresholds)

    github_webhook_secrets: SecretStr = SecretStr("")
    """Secrets of GitHub's webhooks, separated by commas or blanks; any of them counts."""
    gitlab_webhook_secrets: SecretStr = SecretStr("")
    """Signing tokens (`whsec_…`) and secret tokens of GitLab's webhooks."""
    bitbucket_webhook_secrets: SecretStr = SecretStr("")
    """Secrets of Bitbucket Cloud's webhooks."""
    azure_webhook_secrets: SecretStr = SecretStr("")
    """Passwords, or `USER:PASSWORD`, of Azure's service hooks."""
    reconcile: str = ""
    """Clone URLs of the GitHub repositories that are asked what no webhook told, separated by
    blanks."""

    @property
    def artifacts_url(self) -> str:
        """URL of the artifact store."""
        return self.artifacts or (self.state.resolve() / "artifacts").as_uri()

    @property
    def releases_folder(self) -> Path:
        """Where release folders go; the operator's choice and never a repository's."""
        return (self.releases or self.state / "releases").resolve()

    @property
    def cache(self) -> Path:
        """Folder whose loss costs only time."""
        return self.state.resolve() / "cache"


def load_settings() -> Settings:
    """Read the settings from the environment of this process.

    Raises UsageError with one line that names the variable, or those that do not go together.
    """
    try:
        settings = Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        variable = name if name.isupper() else f"REGREEN_{name.upper()}"
        raise UsageError(f"{variable}: {first['msg']}") from error
    _check_keyless(settings)
    return settings


def _check_keyless(settings: Settings) -> None:
    """Raise UsageError when releases are to be signed without a key, and something is missing."""
    if settings.fulcio_url is None:
        return
    if settings.signing_key is not None:
        raise UsageError(
            "REGREEN_FULCIO_URL and REGREEN_SIGNING_KEY: a release is signed without a key or with "
            "one, unset the other"
        )
    for needed in ("fulcio_certificates", "certificate_identity", "certificate_oidc_issuer"):
        if getattr(settings, needed) is None:
            raise UsageError(f"REGREEN_FULCIO_URL needs REGREEN_{needed.upper()}")
    if settings.rekor_url is None and settings.timestamp_url is None:
        raise UsageError(
            "REGREEN_FULCIO_URL needs REGREEN_REKOR_URL or REGREEN_TIMESTAMP_URL: its certificates "
            "hold for minutes, and one of these says that a signature is that old"
        )
