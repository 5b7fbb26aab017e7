"""How events are handed to Temporal: a few at a time, within the time that providers wait."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from regreen.contracts.forge_event import ForgeEvent
from starters.gateway import handover as module
from starters.gateway.handover import Handover, NotTaken

EVENT = ForgeEvent(
    provider="github", repository="a/b", identity="push/1/main", delivery_id="", kind="push"
)


@pytest.fixture
def handover(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Handover:
    """With a client that connects with its first call, of which there is none here."""
    monkeypatch.delenv("TEMPORAL_ADDRESS", raising=False)
    (tmp_path / "server.json").write_text(json.dumps({"address": "127.0.0.1:1"}))
    return Handover(tmp_path)


async def test_no_more_than_eight_calls_are_under_way(
    handover: Handover, monkeypatch: pytest.MonkeyPatch
) -> None:
    under_way, most, release = 0, 0, asyncio.Event()

    async def deliver(*_: Any) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await release.wait()
        under_way -= 1

    monkeypatch.setattr(module, "deliver_event", deliver)
    calls = [asyncio.create_task(handover.hand_over([EVENT])) for _ in range(30)]
    while under_way < 8:
        await asyncio.sleep(0)
    release.set()
    await asyncio.gather(*calls)

    assert most == 8


async def test_what_takes_too_long_is_not_taken(
    handover: Handover, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def deliver(*_: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(module, "deliver_event", deliver)
    monkeypatch.setattr(module, "_WITHIN_SECONDS", 0.05)

    with pytest.raises(NotTaken, match="not within"):
        await handover.hand_over([EVENT])


async def test_a_server_that_came_up_elsewhere_is_found(handover: Handover, tmp_path: Path) -> None:
    first = await handover.client()
    assert await handover.client() is first

    (tmp_path / "server.json").write_text(json.dumps({"address": "127.0.0.1:2"}))

    assert (await handover.client()).service_client.config.target_host == "127.0.0.1:2"


async def test_without_any_server_an_event_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TEMPORAL_ADDRESS", raising=False)
    handover = Handover(tmp_path)

    with pytest.raises(NotTaken, match="no Temporal server"):
        await handover.hand_over([EVENT])

    assert not await handover.is_ready()
