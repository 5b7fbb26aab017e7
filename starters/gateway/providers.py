"""The four providers as the gateway sees them: what is checked, what is read, how much is taken."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from regreen.contracts.forge_event import ForgeEvent, Provider
from regreen.errors import UsageError
from regreen.settings import Settings
from regreen.webhooks.azure import azure_events
from regreen.webhooks.bitbucket import bitbucket_events
from regreen.webhooks.github import github_event
from regreen.webhooks.gitlab import gitlab_event
from regreen.webhooks.reading import MalformedEvent
from regreen.webhooks.verification import (
    check_secret,
    verify_azure,
    verify_bitbucket,
    verify_github,
    verify_gitlab,
)

_SHORTEST = 16

Headers = Mapping[str, str]
Body = dict[str, Any]


@dataclass(frozen=True)
class ProviderHooks:
    """How one provider's deliveries are taken."""

    largest: int
    """Bytes of a body; more than the provider sends at most."""
    verify: Callable[[Headers, bytes, Sequence[str], float], None]
    """Raises Unverified; the last argument is the time in seconds since the epoch."""
    event_header: str
    """The header that names the event; empty when the body does."""
    delivery: Callable[[Headers, Body], str]
    """The provider's id of the delivery."""
    events: Callable[[str, str, Body], tuple[ForgeEvent, ...]]
    """From the event's name and the delivery's id. Raises MalformedEvent."""


def _wrapped(
    read: Callable[[str, str, Body], ForgeEvent | None],
) -> Callable[[str, str, Body], tuple[ForgeEvent, ...]]:
    def events(name: str, delivery: str, body: Body) -> tuple[ForgeEvent, ...]:
        event = read(name, delivery, body)
        return () if event is None else (event,)

    return events


def _header(name: str) -> Callable[[Headers, Body], str]:
    return lambda headers, body: headers.get(name, "")


def _azure_delivery(headers: Headers, body: Body) -> str:
    return f"{body.get('subscriptionId', '')}/{body.get('notificationId', '')}"


PROVIDERS: dict[Provider, ProviderHooks] = {
    "github": ProviderHooks(
        largest=25 << 20,
        verify=lambda headers, body, secrets, now: verify_github(headers, body, secrets),
        event_header="x-github-event",
        delivery=_header("x-github-delivery"),
        events=_wrapped(github_event),
    ),
    "gitlab": ProviderHooks(
        largest=1 << 20,
        verify=verify_gitlab,
        event_header="x-gitlab-event",
        delivery=_header("x-gitlab-event-uuid"),
        events=_wrapped(gitlab_event),
    ),
    "bitbucket": ProviderHooks(
        largest=1 << 20,
        verify=lambda headers, body, secrets, now: verify_bitbucket(headers, body, secrets),
        event_header="x-event-key",
        delivery=_header("x-request-uuid"),
        events=bitbucket_events,
    ),
    "azure": ProviderHooks(
        largest=1 << 20,
        verify=lambda headers, body, secrets, now: verify_azure(headers, secrets),
        event_header="",
        delivery=_azure_delivery,
        events=lambda name, delivery, body: azure_events(delivery, body),
    ),
}


def read_events(provider: Provider, headers: Headers, body: Body) -> tuple[ForgeEvent, ...]:
    """What a verified delivery tells; nothing for what is not acted on. Raises MalformedEvent."""
    hooks = PROVIDERS[provider]
    name = headers.get(hooks.event_header, "") if hooks.event_header else ""
    if hooks.event_header and not name:
        raise MalformedEvent(f"the header {hooks.event_header} is missing")
    return hooks.events(name, delivery_id(provider, headers, body), body)


def delivery_id(provider: Provider, headers: Headers, body: Body) -> str:
    """The provider's id of a delivery, fit for a log."""
    return re.sub(r"[^\w./-]", "", PROVIDERS[provider].delivery(headers, body))[:100]


def webhook_secrets(settings: Settings) -> dict[Provider, tuple[str, ...]]:
    """The secrets of each provider that has any.

    Raises UsageError for one that is too short or cannot be what it looks like; it is not shown.
    """
    known = {
        "github": settings.github_webhook_secrets,
        "gitlab": settings.gitlab_webhook_secrets,
        "bitbucket": settings.bitbucket_webhook_secrets,
        "azure": settings.azure_webhook_secrets,
    }
    found: dict[Provider, tuple[str, ...]] = {}
    for provider in PROVIDERS:
        words = re.split(r"[,\s]+", known[provider].get_secret_value())
        secrets = tuple(word for word in words if word)
        variable = f"REGREEN_{provider.upper()}_WEBHOOK_SECRETS"
        for number, secret in enumerate(secrets, 1):
            if len(secret) < _SHORTEST:
                raise UsageError(f"{variable}: secret {number} is shorter than {_SHORTEST} letters")
            try:
                check_secret(secret)
            except ValueError as error:
                raise UsageError(f"{variable}: secret {number}: {error}") from error
        if secrets:
            found[provider] = secrets
    return found
