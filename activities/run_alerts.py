"""Figures of a repository's last runs, and whether they crossed the operator's thresholds.

That a threshold is crossed is said once, and that it is not any more once: what was said last is
kept in the artifact store, beside the run that made it so. A try that is made again for that run
finds itself there, and says the same.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import obstore
from obstore.store import ObjectStore
from pydantic import Field, ValidationError
from temporalio import activity
from temporalio.client import Client, WorkflowExecution
from temporalio.common import SearchAttributeKey

from activities.artifact_store import open_store
from activities.file_lock import file_lock
from activities.heartbeat import heartbeating
from regreen.contracts.announcement import Alert, AlertMetric, Alerts, EndedRun
from regreen.contracts.base import Contract
from regreen.counted import counted
from regreen.settings import Settings, load_settings

FEWEST_RUNS = 5
_MOST_LISTED = 500
# What a person decided or cancelled says nothing of the pipeline.
_GOOD = ("passed", "released")
_COUNTED = (*_GOOD, "failed")
_STATE = SearchAttributeKey.for_keyword("RegreenState")
_ATTEMPTS = SearchAttributeKey.for_int("RegreenHealAttempts")


class SaidLast(Contract):
    """What was said last of one figure."""

    crossed: bool
    run_id: str
    """The run whose end changed it."""


class SaidOfRepository(Contract):
    """What was said last of each figure of a repository."""

    figures: dict[AlertMetric, SaidLast] = Field(default_factory=dict)


@dataclass(frozen=True)
class _Run:
    good: bool
    attempts: int
    seconds: float


@activity.defn
async def judge_run_alerts(ended: EndedRun) -> Alerts:
    """What the end of a run changed in its repository's figures.

    Nothing with fewer than five runs that ended by themselves.
    """
    return await heartbeating(_judge(ended, load_settings()), f"figures of {ended.repository}")


async def _judge(ended: EndedRun, settings: Settings) -> Alerts:
    if ended.state not in _COUNTED:
        return Alerts()
    runs = [
        _Run(ended.state in _GOOD, ended.heal_attempts, ended.seconds),
        *await _earlier(activity.client(), ended, settings.alert_runs - 1),
    ]
    if len(runs) < FEWEST_RUNS:
        return Alerts()
    store = open_store(settings.artifacts_url)
    path = _path(ended.repository)
    async with file_lock(settings.cache / "alerts.lock", "alerts"):
        before = (await _said(store, path)).figures
        found = _figures(runs, settings)
        after = {
            alert.metric: SaidLast(crossed=alert.crossed, run_id=ended.run_id)
            for alert in found
            if before.get(alert.metric, SaidLast(crossed=False, run_id="")).crossed != alert.crossed
        }
        now = SaidOfRepository(figures={**before, **after})
        if after:
            await obstore.put_async(store, path, now.model_dump_json().encode())
    mine = {name for name, said in now.figures.items() if said.run_id == ended.run_id}
    return Alerts(alerts=tuple(alert for alert in found if alert.metric in mine))


async def _earlier(client: Client, ended: EndedRun, most: int) -> list[_Run]:
    """The runs that ended last, but for this one, which the list may not yet know."""
    # Temporal's SQL visibility finds nothing for a value with a double quote, however escaped.
    if '"' in ended.repository:
        return []
    name = ended.repository.replace("\\", "\\\\").replace("'", "\\'")
    query = (
        f"WorkflowType = 'PipelineWorkflow' AND RegreenRepository = '{name}' "
        "AND ExecutionStatus != 'Running'"
    )
    found: list[_Run] = []
    # Those that closed last come first.
    async for execution in client.list_workflows(query, limit=_MOST_LISTED):
        run = _run_of(execution)
        if run is not None and execution.run_id != ended.run_id:
            found.append(run)
        if len(found) == most:
            break
    return found


def _run_of(execution: WorkflowExecution) -> _Run | None:
    attributes = execution.typed_search_attributes
    state = attributes.get(_STATE)
    if state not in _COUNTED or execution.close_time is None:
        return None
    took = execution.close_time - execution.start_time
    return _Run(state in _GOOD, attributes.get(_ATTEMPTS) or 0, took.total_seconds())


def _figures(runs: Sequence[_Run], settings: Settings) -> list[Alert]:
    """Each figure that has a threshold, with whether it is beyond it."""
    over = f"over the last {counted(len(runs), 'run')}"
    found: list[Alert] = []
    least = settings.alert_success_rate
    if least is not None:
        rate = sum(run.good for run in runs) / len(runs)
        side = "below" if rate < least else "not below"
        text = f"success rate {rate:.0%} {over}, {side} {least:.0%}"
        found.append(Alert(metric="success-rate", crossed=rate < least, text=text))
    most = settings.alert_heal_attempts
    if most is not None:
        mean = sum(run.attempts for run in runs) / len(runs)
        side = "above" if mean > most else "not above"
        text = f"{mean:.1f} heal attempts a run {over}, {side} {most:g}"
        found.append(Alert(metric="heal-attempts", crossed=mean > most, text=text))
    longest = settings.alert_p95
    if longest is not None:
        # Nearest rank: the least that 95 of 100 do not exceed.
        rank = math.ceil(0.95 * len(runs))
        seconds = sorted(run.seconds for run in runs)[rank - 1]
        side = "above" if seconds > longest else "not above"
        text = f"95 of 100 runs take up to {seconds:.0f} s {over}, {side} {longest:g} s"
        found.append(Alert(metric="p95", crossed=seconds > longest, text=text))
    return found


async def _said(store: ObjectStore, path: str) -> SaidOfRepository:
    try:
        content = await (await obstore.get_async(store, path)).bytes_async()
        return SaidOfRepository.model_validate_json(bytes(content))
    except (FileNotFoundError, ValidationError):
        return SaidOfRepository()


def _path(repository: str) -> str:
    # A repository's name may hold what no path may.
    return f"alerts/{hashlib.sha256(repository.encode()).hexdigest()[:32]}.json"
