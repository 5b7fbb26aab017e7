"""Telling Slack, Discord and webhooks that are strict, slow, broken or gone."""

import asyncio
import json
import logging
import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities import announcements
from activities.announcement_places import find_announcement_places
from activities.announcements import send_announcement
from regreen.contracts.announcement import (
    AnnouncedStage,
    Announcement,
    PlacedAnnouncement,
    PlacesQuestion,
    Told,
)
from regreen.contracts.forge_check import Annotation
from tests.doubles.chat import SECRETS, Chat, Fault, chat

PLACES = ("slack", "discord", "notify-1")
SERVICES: dict[str, Any] = {"slack": "slack", "discord": "discord", "notify-1": "webhook"}


@pytest.fixture
def services(own_state: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Chat]:
    """All three, set as the operator would."""
    with chat() as running:
        monkeypatch.setenv("SLACK_WEBHOOK", running.addresses["slack"])
        monkeypatch.setenv("DISCORD_WEBHOOK", running.addresses["discord"])
        monkeypatch.setenv("REGREEN_NOTIFY", running.addresses["webhook"])
        monkeypatch.setenv("REGREEN_UI", "https://ui.example")
        yield running
        assert running.refused == []


def _failed(**changes: Any) -> Announcement:
    known: dict[str, Any] = {
        "key": "run-1/failed",
        "kind": "failed",
        "colour": "red",
        "repository": "acme/shop",
        "ref": "main",
        "commit": "c" * 40,
        "run": "pipeline/acme/shop/c",
        "run_id": "run-1",
        "stage": "unit",
        "reason": "1 test failing each time, not healed in 8 attempts",
        "summary": "1 of 41 failing: assert 90 == 80",
        "tests": ("tests/test_prices.py::test_discount",),
        "remarks": (Annotation(level="failure", title="test", message="assert 90 == 80"),),
        "stages": (AnnouncedStage(name="unit", state="failed", seconds=3.2, attempts=8),),
    }
    return Announcement.model_validate(known | changes)


async def _send(place: str, announcement: Announcement | None = None) -> Told:
    placed = PlacedAnnouncement(place=place, announcement=announcement or _failed())
    return await ActivityEnvironment().run(send_announcement, placed)


async def _failure(place: str, announcement: Announcement | None = None) -> ApplicationError:
    with pytest.raises(ApplicationError) as caught:
        await _send(place, announcement)
    _holds_no_secret(caught.value)
    return caught.value


def _holds_no_secret(error: BaseException | None) -> None:
    while error is not None:
        for text in (str(error), repr(error), repr(error.__dict__)):
            assert not any(path in text or "-secret" in text for path in SECRETS.values())
        error = error.__cause__ or error.__context__


async def test_what_is_told_holds_the_run_and_no_value_of_a_test(services: Chat) -> None:
    for place in PLACES:
        assert await _send(place) == Told()
    for each in services.shown:
        text = json.dumps(each.body, ensure_ascii=False).replace("\\\\", "")
        assert "tests/test_prices.py::test_discount" in text.replace("\u200b", "")
        assert "acme/shop" in text
        assert "not healed in 8 attempts" in text
        assert "unit" in text and "3.2" in text
        assert "https://ui.example/namespaces/" in text
        assert "assert 90" not in text
    [slack] = services.bodies("slack")
    assert slack["text"].startswith("🔴 Regreen: failed `acme/shop`")
    assert slack["attachments"][0]["color"] == "#e01e5a"


async def test_a_webhook_gets_the_documented_document_and_a_key(services: Chat) -> None:
    await _send("notify-1")
    [shown] = services.shown
    left_out = {"summary", "remarks", "state"}
    assert set(shown.body) == set(Announcement.model_fields) - left_out | {"page"}
    assert (shown.body["kind"], shown.body["key"]) == ("failed", "run-1/failed")
    key = shown.headers["idempotency-key"]
    assert key.startswith('"') and len(key) == 66


@pytest.mark.parametrize("place", PLACES)
async def test_the_same_announcement_is_told_once(services: Chat, place: str) -> None:
    assert await _send(place) == Told()
    assert await _send(place) == Told(again=True)
    await _send(place, _failed(key="run-2/failed"))
    assert len(services.shown) == 2


@pytest.mark.parametrize("place", PLACES)
async def test_a_place_that_asks_for_time_gets_it(services: Chat, place: str) -> None:
    services.faults[SERVICES[place]] = [Fault(429, {"Retry-After": "7"}), Fault(503)]
    limited = await _failure(place)
    assert (limited.type, limited.non_retryable) == ("PlaceUnavailable", False)
    assert limited.next_retry_delay == timedelta(seconds=7)
    broken = await _failure(place)
    assert (broken.message, broken.non_retryable) == (f"{place} answered 503", False)
    assert broken.next_retry_delay is None
    assert await _send(place) == Told()
    assert len(services.shown) == 1


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 410])
@pytest.mark.parametrize("place", PLACES)
async def test_a_place_that_refuses_is_not_asked_again(
    services: Chat, place: str, status: int
) -> None:
    elsewhere = {"Location": services.addresses["webhook"]}
    services.faults[SERVICES[place]] = [Fault(status, elsewhere)]
    refused = await _failure(place)
    assert (refused.type, refused.non_retryable) == ("PlaceRefused", True)
    assert refused.message == f"{place} answered {status}"
    assert len(services.requests) == 1


async def test_a_lost_answer_makes_one_message_more_and_not_a_third(services: Chat) -> None:
    services.gives_up.set()
    services.faults["slack"] = [Fault(hangs=True, taken=True)] * 3
    first = await _failure("slack")
    assert (first.message, first.non_retryable) == ("slack did not answer", False)
    second = await _failure("slack")
    assert (second.type, second.non_retryable) == ("PlaceSilent", True)
    third = await _failure("slack")
    assert third.message == "slack did not answer 2 times; it may have been told"
    assert len(services.bodies("slack")) == 2


async def test_a_webhook_tells_repetitions_by_their_key_and_is_tried_again(services: Chat) -> None:
    services.gives_up.set()
    services.faults["webhook"] = [Fault(hangs=True, taken=True)] * 3
    for _ in range(3):
        assert not (await _failure("notify-1")).non_retryable
    assert await _send("notify-1") == Told()
    assert len({shown.headers["idempotency-key"] for shown in services.shown}) == 1
    other = PlacedAnnouncement(place="notify-1", announcement=_failed(key="run-2/failed"))
    await ActivityEnvironment().run(send_announcement, other)
    assert len({shown.headers["idempotency-key"] for shown in services.shown}) == 2


async def test_a_place_that_never_answers_is_left(
    services: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announcements, "_SECONDS", 0.3)
    services.faults["slack"] = [Fault(hangs=True)]
    left = await _failure("slack")
    assert (left.message, left.non_retryable) == ("slack did not answer", False)


async def test_a_place_that_hangs_takes_one_worker_and_no_more(services: Chat) -> None:
    services.faults["slack"] = [Fault(hangs=True)]
    hanging = asyncio.create_task(_failure("slack"))
    while not services.requests:
        await asyncio.sleep(0.01)
    busy = await _failure("slack", _failed(key="run-2/failed"))
    assert (busy.type, busy.non_retryable) == ("PlaceBusy", False)
    assert busy.next_retry_delay == timedelta(seconds=1)
    assert await _send("discord") == Told()
    services.gives_up.set()
    assert (await hanging).type == "PlaceSilent"
    assert await _send("slack", _failed(key="run-2/failed")) == Told()


async def test_nobody_at_the_address_is_tried_again_and_shows_no_address(
    own_state: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        monkeypatch.setenv("SLACK_WEBHOOK", f"http://127.0.0.1:{port}{SECRETS['slack']}")
        for _ in range(4):
            away = await _failure("slack")
            assert (away.type, away.non_retryable) == ("PlaceUnreachable", False)
    assert away.message == "slack cannot be reached"
    assert "-secret" not in caplog.text


@pytest.mark.parametrize("address", ["slack-secret", "ftp://slack-secret"])
async def test_an_address_that_is_none_is_refused_and_not_shown(
    own_state: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("SLACK_WEBHOOK", address)
    refused = await _failure("slack")
    assert refused.message == "slack: its address is not one of http"
    assert refused.non_retryable


async def test_a_place_that_is_not_set_any_more_is_refused(own_state: Path) -> None:
    assert (await _failure("discord")).type == "PlaceUnknown"


async def test_nothing_that_is_logged_shows_an_address(
    services: Chat, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    services.faults["discord"] = [Fault(500)]
    await _send("slack")
    await _failure("discord")
    assert "-secret" not in caplog.text


async def test_apprise_tells_what_else_it_knows(
    services: Chat, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    address = services.addresses["webhook"].replace("http://", "json://")
    monkeypatch.setenv("REGREEN_NOTIFY", f"{address} nonsense-secret")
    services.faults["webhook"] = [Fault(500)]
    away = await _failure("notify-1", _failed(ref="@everyone <!channel>"))
    assert (away.message, away.non_retryable) == ("notify-1 did not take it", False)
    assert await _send("notify-1", _failed(ref="@everyone <!channel>")) == Told()
    [shown] = services.bodies("webhook")
    assert shown["title"].startswith("🔴 Regreen: failed acme/shop")
    assert shown["type"] == "failure"
    assert "@everyone" not in shown["title"] + shown["message"]
    assert "tests/test_prices.py::test_discount" in shown["message"]
    unknown = await _failure("notify-2")
    assert unknown.message == "notify-2: Apprise knows no such address"
    assert unknown.non_retryable
    assert "-secret" not in caplog.text


async def test_a_secret_in_a_name_is_not_told(services: Chat) -> None:
    token = "ghp_" + "0123456789" * 4
    for place in PLACES:
        await _send(place, _failed(ref=f"fix-{token}", tests=(f"tests/test_a.py::test[{token}]",)))
    assert all(token not in json.dumps(each.body) for each in services.shown)


async def test_the_places_are_named_and_their_addresses_are_not(
    services: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGREEN_NOTIFY", "https://one.example/a  mailto://two.example/b")
    monkeypatch.setenv("REGREEN_NOTIFY_KINDS", "failed released")
    monkeypatch.setenv("REGREEN_ALERT_P95", "10m")
    found = await find_announcement_places(PlacesQuestion(repository="acme/shop"))
    assert found.names == ("slack", "discord", "notify-1", "notify-2")
    assert set(found.kinds) == {"failed", "released"}
    assert found.alerts
