"""Handing events to Temporal: a few at a time, within the time that providers wait."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from temporalio.client import Client
from temporalio.service import RPCError

from activities.event_delivery import deliver_event
from regreen.contracts.forge_event import ForgeEvent
from regreen.errors import UnreachableError
from workers.connection import configured_address, connect, embedded_address

# Measured: more calls at once only wait in the server, and longer.
_MOST_AT_ONCE = 8
# Providers give up after ten.
_WITHIN_SECONDS = 8.0
_CALL_SECONDS = 5.0
_READY_SECONDS = 2.0


class NotTaken(Exception):
    """Temporal has not taken the event, or has not said so in time. The message is for the log."""


class Handover:
    """One process's way to Temporal."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._slots = asyncio.Semaphore(_MOST_AT_ONCE)
        self._client: Client | None = None
        self._address: str | None = None

    async def hand_over(self, events: Sequence[ForgeEvent]) -> None:
        """Return when Temporal has taken all of them. Raises NotTaken."""
        try:
            async with asyncio.timeout(_WITHIN_SECONDS):
                for event in events:
                    async with self._slots:
                        await deliver_event(await self.client(), event, _CALL_SECONDS)
        except TimeoutError as error:
            raise NotTaken(f"not within {_WITHIN_SECONDS:g} s") from error
        except RPCError as error:
            raise NotTaken(f"{error.status.name}: {error.message}") from error
        except (RuntimeError, UnreachableError) as error:
            raise NotTaken(str(error)) from error

    async def is_ready(self) -> bool:
        """Whether Temporal answers."""
        try:
            async with asyncio.timeout(_READY_SECONDS):
                client = await self.client()
                return await client.service_client.check_health(
                    timeout=timedelta(seconds=_READY_SECONDS)
                )
        except (TimeoutError, RPCError, RuntimeError, UnreachableError):
            return False

    async def client(self) -> Client:
        """The client, connected with its first call.

        Raises UnreachableError when no server is configured and the embedded one never ran.
        """
        if self._client is None or self._address is not None:
            address = None if configured_address() is not None else embedded_address(self._state)
            if address is None and configured_address() is None:
                raise UnreachableError("no Temporal server: set TEMPORAL_ADDRESS, or `regreen up`")
            # The embedded server takes another port each time it starts.
            if self._client is None or address != self._address:
                self._client = await connect("gateway", address, lazy=True)
                self._address = address
        return self._client
