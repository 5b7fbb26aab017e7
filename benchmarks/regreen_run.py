"""Running the line with Regreen, and reading in its histories where the time went."""

import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

from regreen.errors import UsageError
from regreen.settings import Settings
from starters import runs
from starters.repository import resolve
from workflows.run_start import workflow_id

_CHILDREN = ("", "/unit", "/integration", "/e2e", "/release")


@dataclass(frozen=True)
class RegreenRun:
    """How one run went."""

    seconds: float
    """Of the client: from looking at the repository until the end of the run is known."""
    outside: float
    """Seconds of the run during which no activity ran, in any of its workflows."""
    events: int
    steps: dict[str, float]
    """Seconds of each activity, from its start to its end in the history, by its type."""
    activities: int
    sandbox: str


async def run_regreen(
    client: Client, settings: Settings, repository: Path, *, step_by_step: bool
) -> RegreenRun:
    """Deliver `repository` at HEAD. Raises UsageError when it is not released.

    Signatures and releases of earlier runs are removed before, since equal files would not be
    signed again; environment, package cache and signing key stay.
    """
    for leftover in (settings.state / "signatures", settings.releases_folder):
        shutil.rmtree(leftover, ignore_errors=True)
    started = time.perf_counter()
    request, _, _ = await resolve(repository, "HEAD")
    request = request.model_copy(update={"step_by_step": step_by_step, "reuse": False})
    run = workflow_id(request)
    await runs.start(client, request)
    report = await runs.follow(client, run, lambda _: None)
    seconds = time.perf_counter() - started
    if report.state != "released" or (report.release and report.release.unsigned):
        raise UsageError(f"{run} ended as {report.state}: {report.reason or 'not signed'}")
    skipped = [stage.name for stage in report.stages if stage.state == "skipped"]
    if skipped != ["approval"]:
        raise UsageError(f"{run} skipped {', '.join(skipped)}; install what is missing")
    events = 0
    spans: list[tuple[str, float, float]] = []
    for child in _CHILDREN:
        history = await client.get_workflow_handle(f"{run}{child}").fetch_history()
        events += len(history.events)
        spans += _activities(history.events)
    steps: dict[str, float] = {}
    for name, start, end in spans:
        steps[name] = steps.get(name, 0.0) + end - start
    return RegreenRun(seconds, seconds - _covered(spans), events, steps, len(spans), report.sandbox)


def _activities(events: Iterable[HistoryEvent]) -> list[tuple[str, float, float]]:
    names: dict[int, str] = {}
    starts: dict[int, float] = {}
    spans = []
    for event in events:
        seconds = event.event_time.seconds + event.event_time.nanos / 1e9
        if event.HasField("activity_task_scheduled_event_attributes"):
            scheduled = event.activity_task_scheduled_event_attributes
            names[event.event_id] = scheduled.activity_type.name
        elif event.HasField("activity_task_started_event_attributes"):
            starts[event.activity_task_started_event_attributes.scheduled_event_id] = seconds
        elif event.HasField("activity_task_completed_event_attributes"):
            number = event.activity_task_completed_event_attributes.scheduled_event_id
            spans.append((names[number], starts[number], seconds))
    return spans


def _covered(spans: list[tuple[str, float, float]]) -> float:
    """Seconds during which at least one of the spans lasted."""
    total, until = 0.0, 0.0
    for _, start, end in sorted(spans, key=lambda span: span[1]):
        total += max(0.0, end - max(start, until))
        until = max(until, end)
    return total
