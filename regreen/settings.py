"""Settings of Regreen's processes, from the environment with the prefix `REGREEN_`.

Well-known variables keep their names: `OPENAI_API_KEY`, `OPENAI_BASE_URL`, `OPENAI_MODEL`.
"""

import os
from pathlib import Path

from pydantic import AliasChoices, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from regreen.errors import UsageError


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
    signing_key: str | None = None
    """Key that releases are signed with: `hashivault://NAME`, or the path of a cosign key whose
    password is in `COSIGN_PASSWORD`. Unset: a key of the publisher's own in `state`."""
    builder: str = "urn:regreen:builder"
    """Name of this installation as the builder, for the provenance of releases."""
    publish_to: str = ""
    """Addresses that the publisher may write releases to and below, separated by blanks."""
    http_authorization: SecretStr | None = None
    """The Authorization header for targets of kind `http`."""
    github_api_url: str = Field(
        default="https://api.github.com", validation_alias=AliasChoices("GITHUB_API_URL")
    )
    github_token: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("GITHUB_TOKEN")
    )
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

    Raises UsageError with one line that names the variable.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        variable = name if name.isupper() else f"REGREEN_{name.upper()}"
        raise UsageError(f"{variable}: {first['msg']}") from error
