"""GitHub's API as the publisher asks it: with its credentials, and without waiting on its own."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

import requests
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from github import Auth, Github, GithubException
from temporalio.exceptions import ApplicationError

from activities.github_failures import explained
from activities.heartbeat import heartbeating
from activities.under_way import to_its_end
from regreen.settings import Settings

_SECONDS = 20
_PAGE = 100

Result = TypeVar("Result")


def has_github_credentials(settings: Settings) -> bool:
    """Whether the publisher was given a token or an app."""
    return settings.github_token is not None or settings.github_app_id is not None


def github_client(settings: Settings, *, seconds: int = _SECONDS) -> Github:
    """A client with the credentials of the settings; the app's, when there is one.

    `seconds` is how long it waits for one answer. Raises ApplicationError `ForgeDenied` when an
    app's settings are not complete.
    """
    return Github(
        auth=_credentials(settings),
        base_url=settings.github_api_url.rstrip("/"),
        timeout=seconds,
        per_page=_PAGE,
        lazy=True,
        # Temporal tries again; a write is looked up before it is repeated.
        retry=None,
        seconds_between_requests=None,
        seconds_between_writes=None,
    )


def github_token(client: Github) -> str:
    """The token that git may use as well; an app's is asked for and ends within the hour."""
    auth = client.requester.auth
    assert auth is not None
    return auth.token


async def ask(subject: str, question: Callable[[], Result]) -> Result:
    """Ask in a thread, with heartbeats that name `subject`.

    Raises the ApplicationErrors of `explained`.
    """
    try:
        return await heartbeating(to_its_end(asyncio.to_thread(question)), subject)
    except GithubException as error:
        raise explained(error, subject) from error
    except requests.RequestException as error:
        # Its text holds the address and sometimes headers.
        raise ApplicationError(
            f"{subject}: GitHub did not answer: {type(error).__name__}", type="ForgeUnreachable"
        ) from None


def _credentials(settings: Settings) -> Auth.Auth:
    if settings.github_app_id is not None:
        if settings.github_app_installation is None or settings.github_app_key is None:
            raise ApplicationError(
                "REGREEN_GITHUB_APP_ID needs REGREEN_GITHUB_APP_INSTALLATION and "
                "REGREEN_GITHUB_APP_KEY",
                type="ForgeDenied",
            )
        try:
            key = settings.github_app_key.read_text("utf-8")
        except OSError as error:
            raise ApplicationError(
                f"REGREEN_GITHUB_APP_KEY cannot be read: {error.strerror}", type="ForgeDenied"
            ) from error
        _check_key(key)
        app = Auth.AppAuth(settings.github_app_id, key)
        return app.get_installation_auth(settings.github_app_installation)
    if settings.github_token is None:
        raise ApplicationError("GITHUB_TOKEN is not set", type="ForgeDenied")
    return Auth.Token(settings.github_token.get_secret_value())


def _check_key(key: str) -> None:
    try:
        load_pem_private_key(key.encode(), None)
    except (ValueError, TypeError):
        # Their text may quote the key.
        raise ApplicationError(
            "REGREEN_GITHUB_APP_KEY holds no private key in PEM form without a password",
            type="ForgeDenied",
        ) from None
