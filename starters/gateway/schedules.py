"""The schedules of the reconciler: one for each repository that the operator names."""

import re
from datetime import timedelta

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)

from regreen.contracts.reconciliation import ReconcileRequest
from regreen.errors import UsageError
from regreen.roles import task_queue

_EVERY = timedelta(minutes=5)
_CLONE_URL = re.compile(r"https?://[^/\s@]+/([\w.-]+/[\w.-]+?)(?:\.git)?/?")


def reconciled_repositories(text: str) -> list[ReconcileRequest]:
    """The repositories of `REGREEN_RECONCILE`. Raises UsageError for what is no clone URL."""
    requests = []
    for url in text.split():
        match = _CLONE_URL.fullmatch(url)
        if match is None:
            raise UsageError(
                f"REGREEN_RECONCILE: `{url}` is no clone URL such as "
                "https://github.com/acme/shop.git"
            )
        requests.append(ReconcileRequest(provider="github", repository=match[1], location=url))
    return requests


async def keep_schedules(client: Client, requests: list[ReconcileRequest]) -> None:
    """Make the schedules, or bring those that are there up to date. Raises RPCError."""
    for request in requests:
        identifier = f"reconcile/{request.provider}/{request.repository}"
        schedule = _schedule(identifier, request)
        try:
            await client.create_schedule(identifier, schedule, trigger_immediately=True)
        except ScheduleAlreadyRunningError:
            await client.get_schedule_handle(identifier).update(
                lambda known, wanted=schedule: _updated(known, wanted)  # type: ignore[misc]
            )


def _updated(known: ScheduleUpdateInput, wanted: Schedule) -> ScheduleUpdate:
    # A person who paused it goes on pausing it.
    wanted.state = known.description.schedule.state
    return ScheduleUpdate(schedule=wanted)


def _schedule(identifier: str, request: ReconcileRequest) -> Schedule:
    return Schedule(
        action=ScheduleActionStartWorkflow(
            "ReconcileWorkflow",
            request,
            id=identifier,
            task_queue=task_queue("orchestrator"),
            static_summary=f"what happened in {request.repository}",
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=_EVERY)]),
        policy=SchedulePolicy(
            overlap=ScheduleOverlapPolicy.SKIP, catchup_window=timedelta(minutes=10)
        ),
    )
