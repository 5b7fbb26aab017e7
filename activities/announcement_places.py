"""The places that the operator wants to be told of runs. Their addresses are secrets."""

from dataclasses import dataclass
from typing import Literal

from pydantic import SecretStr
from temporalio import activity

from regreen.contracts.announcement import AnnouncementPlaces, PlacesQuestion
from regreen.settings import Settings, load_settings


@dataclass(frozen=True)
class AnnouncementPlace:
    """A place, with what it understands."""

    name: str
    """What it is called wherever its address must not be seen."""
    kind: Literal["slack", "discord", "webhook", "apprise"]
    address: SecretStr


def announcement_places(settings: Settings) -> list[AnnouncementPlace]:
    """Slack, Discord, and those of `REGREEN_NOTIFY` by their number."""
    places = []
    if settings.slack_webhook is not None:
        places.append(AnnouncementPlace("slack", "slack", settings.slack_webhook))
    if settings.discord_webhook is not None:
        places.append(AnnouncementPlace("discord", "discord", settings.discord_webhook))
    more = "" if settings.notify is None else settings.notify.get_secret_value()
    for number, address in enumerate(more.split(), 1):
        plain = address.startswith(("http://", "https://"))
        kind: Literal["webhook", "apprise"] = "webhook" if plain else "apprise"
        places.append(AnnouncementPlace(f"notify-{number}", kind, SecretStr(address)))
    return places


@activity.defn
async def find_announcement_places(question: PlacesQuestion) -> AnnouncementPlaces:
    """The names of the places, what they are told, and whether there are thresholds."""
    settings = load_settings()
    return AnnouncementPlaces(
        names=tuple(place.name for place in announcement_places(settings)),
        kinds=settings.announced_kinds,
        alerts=settings.alerts,
    )
