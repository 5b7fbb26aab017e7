"""Steering runs: approve, reject, cancel, retry."""

import getpass
from typing import Literal

from regreen.contracts.run import Review
from regreen.errors import UsageError
from regreen.settings import Settings
from starters import runs
from starters.outages import through_outages
from starters.progress import PlainLines
from starters.run_command import follow_request, follow_run
from workers.embedded import Connection, temporal


async def decide(
    name: str,
    decision: Literal["approve", "reject"],
    reviewer: str | None,
    comment: str,
    *,
    json: bool,
    settings: Settings,
) -> int:
    """Send a decision and follow the run to its end; returns the run's exit code.

    Raises UsageError when the decision does not count. Where it takes more people the run waits on.
    """
    given: Review | None = None
    lines = PlainLines()

    async def work(connection: Connection) -> int:
        nonlocal given
        identifier = await runs.find_run(connection.client, name)
        if given is None:
            report = await runs.report_of(connection.client, identifier)
            review = Review(
                reviewer=reviewer or getpass.getuser(),
                decision=decision,
                comment=comment,
                source="command-line",
                tree=report.tree,
            )
            given = await runs.review(connection.client, identifier, review)
        await runs.weighed(connection.client, identifier, given)
        return await follow_run(connection, identifier, lines, json=json, settings=settings)

    return await through_outages(settings, work)


async def cancel(name: str, *, json: bool, settings: Settings) -> int:
    """Cancel a run and follow it until it has ended."""
    asked = False
    lines = PlainLines()

    async def work(connection: Connection) -> int:
        nonlocal asked
        identifier = await runs.find_run(connection.client, name)
        if not asked:
            report = await runs.report_of(connection.client, identifier)
            if report.state not in ("running", "waiting"):
                raise UsageError(f"{identifier} has ended already; it is {report.state}")
            await runs.cancel(connection.client, identifier)
            asked = True
        await runs.left_waiting(connection.client, identifier)
        return await follow_run(connection, identifier, lines, json=json, settings=settings)

    return await through_outages(settings, work)


async def retry(name: str, *, json: bool, reuse: bool, settings: Settings) -> int:
    """Run an ended run's commit again."""
    async with temporal(settings) as connection:
        identifier = await runs.find_run(connection.client, name)
        report = await runs.report_of(connection.client, identifier)
        if report.state in ("running", "waiting"):
            raise UsageError(f"{identifier} has not ended; it is {report.state}")
    request = report.request.model_copy(update={"reuse": reuse})
    return await follow_request(request, json=json, again=True, settings=settings)
