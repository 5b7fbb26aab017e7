"""Telling Slack, Discord, webhooks and what Apprise knows. No error and no log has an address."""

import asyncio
import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.announcement_places import AnnouncementPlace, announcement_places
from activities.announcement_receipts import (
    AnnouncementReceipt,
    read_receipt,
    receipt_key,
    write_receipt,
)
from activities.announcement_text import (
    Message,
    cleaned,
    message_of,
    plain_text,
    plain_title,
    run_page,
)
from activities.bounded_response import BoundedResponses
from activities.discord_message import discord_message
from activities.heartbeat import heartbeating
from activities.retry_after import retry_after
from activities.slack_message import slack_message
from regreen.contracts.announcement import Announcement, PlacedAnnouncement, Told
from regreen.settings import load_settings

MOST_IN_DOUBT = 2
_SECONDS = 10.0
_MOST_ANSWER = 10_000
_TRANSIENT = (408, 425, 429)
# These never left this machine whole, so that nobody can have been told.
_NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError)
_UNSENDABLE = (
    *(httpx2.InvalidURL, httpx2.UnsupportedProtocol, httpx2.LocalProtocolError, ValueError),
)

# They log addresses, which are secrets here; Apprise even those that it cannot read.
for _name in ("httpx2", "urllib3.connectionpool", "apprise"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)

_PAUSE = timedelta(seconds=1)
# One request at a time for each place: one that hangs must not hold the publisher's other work up.
_busy: set[str] = set()


@dataclass(frozen=True)
class _Failure:
    error: ApplicationError
    in_doubt: bool = False
    """It may have been told all the same."""


@activity.defn
async def send_announcement(placed: PlacedAnnouncement) -> Told:
    """Tell one place, unless it has been told.

    Raises ApplicationError. Retryable: `PlaceBusy`, `PlaceUnreachable`, `PlaceUnavailable` (after
    the time that the place asks for) and, once, `PlaceSilent`: a lost answer may mean that it was
    told. Not retryable: `PlaceRefused`, `PlaceUnknown`, and `PlaceSilent` the second time.
    """
    places = announcement_places(load_settings())
    place = next((each for each in places if each.name == placed.place), None)
    if place is None:
        raise _refusal("PlaceUnknown", f"{placed.place} is not among the places any more")
    key = receipt_key(placed)
    receipt = await heartbeating(read_receipt(key), place.name)
    if receipt.told:
        return Told(again=True)
    # A webhook gets the key, and can tell repetitions by itself.
    keyed = place.kind == "webhook"
    if receipt.in_doubt >= MOST_IN_DOUBT and not keyed:
        raise _silent(place, receipt)
    if place.name in _busy:
        raise ApplicationError(
            f"{place.name} is being told something else", type="PlaceBusy", next_retry_delay=_PAUSE
        )
    _busy.add(place.name)
    try:
        doubtful = AnnouncementReceipt(in_doubt=receipt.in_doubt + 1)
        await write_receipt(key, doubtful)
        failure = await heartbeating(_tell(place, placed.announcement, key), place.name)
        if failure is None:
            await write_receipt(key, AnnouncementReceipt(told=True))
            return Told()
        if not failure.in_doubt:
            await write_receipt(key, receipt)
    finally:
        _busy.discard(place.name)
    if failure.in_doubt and doubtful.in_doubt >= MOST_IN_DOUBT and not keyed:
        raise _silent(place, doubtful)
    raise failure.error


async def _tell(place: AnnouncementPlace, announcement: Announcement, key: str) -> _Failure | None:
    told = cleaned(announcement)
    page = run_page(load_settings().ui, activity.info().namespace, told)
    message = message_of(told, page)
    address = place.address.get_secret_value()
    if place.kind == "apprise":
        return await _by_apprise(place, address, message)
    if place.kind == "slack":
        return await _post(place, address, slack_message(message))
    if place.kind == "discord":
        waiting = httpx2.QueryParams({"wait": "true"})
        return await _post(place, address, discord_message(message), parameters=waiting)
    # What only a forge is told may quote what the repository's tools said.
    body = told.model_dump(mode="json", exclude={"summary", "remarks", "state"})
    return await _post(place, address, body | {"page": page}, {"Idempotency-Key": f'"{key}"'})


async def _post(
    place: AnnouncementPlace,
    address: str,
    body: dict[str, Any],
    headers: dict[str, str] | None = None,
    parameters: httpx2.QueryParams | None = None,
) -> _Failure | None:
    bounded = BoundedResponses(_MOST_ANSWER)
    asked = {"Accept-Encoding": "identity", "User-Agent": "regreen", **(headers or {})}
    try:
        # The client's own time-out starts anew with every byte that trickles in.
        async with (
            asyncio.timeout(_SECONDS),
            httpx2.AsyncClient(
                headers=asked, timeout=_SECONDS, event_hooks={"response": [bounded]}
            ) as client,
        ):
            url = httpx2.URL(address)
            if parameters is not None:
                url = url.copy_merge_params(parameters)
            response = await client.post(url, json=body)
    except _UNSENDABLE:
        return _Failure(_refusal("PlaceRefused", f"{place.name}: its address is not one of http"))
    except _NOT_SENT:
        error = ApplicationError(f"{place.name} cannot be reached", type="PlaceUnreachable")
        return _Failure(error)
    except (httpx2.HTTPError, TimeoutError):
        error = ApplicationError(f"{place.name} did not answer", type="PlaceSilent")
        return _Failure(error, in_doubt=True)
    return _judged(place, response)


def _judged(place: AnnouncementPlace, response: httpx2.Response) -> _Failure | None:
    status = response.status_code
    if response.is_success:
        return None
    said = f"{place.name} answered {status}"
    if status in _TRANSIENT or status >= 500:
        wait = retry_after(response.headers, datetime.now(UTC))
        return _Failure(ApplicationError(said, type="PlaceUnavailable", next_retry_delay=wait))
    return _Failure(_refusal("PlaceRefused", said))


async def _by_apprise(place: AnnouncementPlace, address: str, message: Message) -> _Failure | None:
    # It takes a tenth of a second to load, and most have no use for it.
    import apprise

    kinds = {
        "green": apprise.NotifyType.SUCCESS,
        "red": apprise.NotifyType.FAILURE,
        "amber": apprise.NotifyType.INFO,
    }
    sender = apprise.Apprise()
    if not sender.add(address):
        return _Failure(_refusal("PlaceRefused", f"{place.name}: Apprise knows no such address"))
    told = await sender.async_notify(
        title=plain_title(message),
        body=plain_text(message),
        notify_type=kinds[message.colour],
        body_format=apprise.NotifyFormat.TEXT,
    )
    if told:
        return None
    return _Failure(ApplicationError(f"{place.name} did not take it", type="PlaceUnavailable"))


def _silent(place: AnnouncementPlace, receipt: AnnouncementReceipt) -> ApplicationError:
    reason = f"{place.name} did not answer {receipt.in_doubt} times; it may have been told"
    return _refusal("PlaceSilent", reason)


def _refusal(kind: str, reason: str) -> ApplicationError:
    return ApplicationError(reason, type=kind, non_retryable=True)
