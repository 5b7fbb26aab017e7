"""What is known of announcements that were sent: whether they were told, or may have been.

Slack and Discord know no key by which they could tell a repetition. So it is written down before
each request, and what came of it after. What lies between is a request whose answer was lost.
"""

import hashlib

import obstore
from pydantic import ValidationError

from activities.artifact_store import open_store
from regreen.contracts.announcement import PlacedAnnouncement
from regreen.contracts.base import Contract
from regreen.settings import load_settings


class AnnouncementReceipt(Contract):
    """What came of an announcement at one place so far."""

    told: bool = False
    in_doubt: int = 0
    """How many requests have no answer: each may have told it."""


def receipt_key(placed: PlacedAnnouncement) -> str:
    """64 hexadecimal digits that name the announcement at its place."""
    announced = placed.announcement
    named = f"{announced.run}\n{announced.key}\n{placed.place}"
    return hashlib.sha256(named.encode("utf-8", "replace")).hexdigest()


async def read_receipt(key: str) -> AnnouncementReceipt:
    """The receipt; an empty one where there is none."""
    store = open_store(load_settings().artifacts_url)
    try:
        found = await (await obstore.get_async(store, _path(key))).bytes_async()
        return AnnouncementReceipt.model_validate_json(bytes(found))
    except (FileNotFoundError, ValidationError):
        return AnnouncementReceipt()


async def write_receipt(key: str, receipt: AnnouncementReceipt) -> None:
    """Keep the receipt."""
    store = open_store(load_settings().artifacts_url)
    await obstore.put_async(store, _path(key), receipt.model_dump_json().encode())


def _path(key: str) -> str:
    return f"announcements/{key[:2]}/{key[2:]}.json"
