"""AnnouncementWorkflow: tells the outside of one run. Nothing waits for it."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from regreen.contracts.announcement import (
        FINAL,
        Announcement,
        AnnouncementKind,
        AnnouncementPlaces,
        AnnouncementRequest,
    )
    from regreen.markdown import prose
    from workflows.announcement_calls import (
        DAY,
        TRY,
        find_alerts,
        find_places,
        goes_on,
        send,
        show_check,
    )
    from workflows.failures import last_message, one_line

Tell = Callable[[Announcement, float], Awaitable[None]]
"""Tells one place, with so many seconds for all tries."""


@workflow.defn
class AnnouncementWorkflow:
    """Tell every place what is announced, in order, until the run has ended and all is told.

    A place that does not answer holds up neither the run nor another place. What it could not be
    told within a day of its announcement is given up, with a line in the details.
    """

    @workflow.init
    def __init__(self, request: AnnouncementRequest) -> None:
        self._request = request
        self._announced: list[Announcement] = []
        self._times: dict[str, float] = {}
        self._looked_up = False
        self._complete = False
        self._given_up: list[str] = []
        self._told: dict[str, int] = {}
        self._done: dict[str, int] = {}
        """By place: how many announcements it needs to hear no more."""
        self.announce(request.first)

    @workflow.signal(description="Something to tell; what has the same key is told once.")
    def announce(self, announcement: Announcement) -> None:
        if announcement.key in self._times or self._complete:
            return
        self._times[announcement.key] = workflow.time()
        self._announced.append(announcement)

    @workflow.query(description="How much is still to be told, or to be found out.")
    def untold(self) -> int:
        unsaid = [len(self._announced) - done for done in self._done.values()]
        asking = not self._complete and (not self._looked_up or self._final is not None)
        return sum(unsaid) + asking

    @workflow.run
    async def run(self, request: AnnouncementRequest) -> str:
        places = await self._find_places()
        tells: dict[str, tuple[tuple[AnnouncementKind, ...], Tell]] = {
            name: (places.kinds, partial(send, name)) for name in places.names
        }
        if request.forge == "github":
            tells["github"] = (("stage",), partial(show_check, request.location))
        self._told = dict.fromkeys(tells, 0)
        self._done = dict.fromkeys(tells, 0)
        self._looked_up = True
        telling = [
            asyncio.create_task(self._keep_telling(name, kinds, tell))
            for name, (kinds, tell) in tells.items()
        ]
        ended = await self._end_of_run()
        if places.alerts and ended is not None:
            await self._judge(ended)
        self._complete = True
        await asyncio.gather(*telling)
        return self._show()

    @property
    def _final(self) -> Announcement | None:
        return next((each for each in self._announced if each.kind in FINAL), None)

    async def _end_of_run(self) -> Announcement | None:
        """The last announcement; None when the run has ended without one, from outside."""
        while self._final is None:
            try:
                await workflow.wait_condition(
                    lambda: self._final is not None,
                    timeout=timedelta(seconds=DAY),
                    timeout_summary="waiting for the run's end",
                )
            except TimeoutError:
                if not await self._goes_on():
                    break
        return self._final

    async def _goes_on(self) -> bool:
        first = self._request.first
        try:
            return await goes_on(first.run, first.run_id)
        except ActivityError as error:
            self._give_up("the server", first.run, error)
            return True

    async def _find_places(self) -> AnnouncementPlaces:
        nobody = AnnouncementPlaces(names=(), kinds=(), alerts=False)
        if not self._request.announces:
            return nobody
        try:
            return await find_places(self._request.first.repository)
        except ActivityError as error:
            self._give_up("the publisher", "who is to be told", error)
            return nobody

    async def _keep_telling(
        self, place: str, kinds: tuple[AnnouncementKind, ...], tell: Tell
    ) -> None:
        for number in itertools.count():
            await workflow.wait_condition(partial(self._has_come_to, number))
            if number == len(self._announced):
                return
            announcement = self._announced[number]
            if announcement.kind in kinds:
                left = self._times[announcement.key] + DAY - workflow.time()
                try:
                    await tell(announcement, max(TRY, left))
                    self._told[place] += 1
                except ActivityError as error:
                    self._give_up(place, announcement.kind, error)
            self._done[place] += 1
            self._show()

    def _has_come_to(self, number: int) -> bool:
        return number < len(self._announced) or self._complete

    async def _judge(self, ended: Announcement) -> None:
        try:
            alerts = await find_alerts(ended)
        except ActivityError as error:
            self._give_up("the figures", ended.repository, error)
            return
        for alert in alerts:
            self.announce(alert)

    def _give_up(self, place: str, what: str, error: ActivityError) -> None:
        if is_cancelled_exception(error):
            raise error
        self._given_up.append(
            f"{place} was not told `{what}`: {prose(last_message(error) or one_line(error), 200)}"
        )
        self._show()

    def _show(self) -> str:
        told = [f"{place}: {number} told" for place, number in self._told.items()]
        workflow.set_current_details("\n".join(f"- {line}" for line in (*told, *self._given_up)))
        return "; ".join((*told, *self._given_up)) or "nobody to tell"


WORKFLOWS = [AnnouncementWorkflow]
