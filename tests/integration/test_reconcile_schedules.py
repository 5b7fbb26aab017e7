"""The reconciler's schedules on a real server: made once, brought up to date, left paused."""

import uuid
from datetime import timedelta

import pytest
from temporalio.client import Client, ScheduleActionStartWorkflow, ScheduleOverlapPolicy

from starters.gateway.schedules import keep_schedules, reconciled_repositories

pytestmark = pytest.mark.timeout(60)


async def test_a_schedule_is_made_once_and_stays_paused(worker_client: Client) -> None:
    name = f"acme/{uuid.uuid4().hex[:8]}"
    requests = reconciled_repositories(f"https://github.com/{name}.git")

    await keep_schedules(worker_client, requests)
    handle = worker_client.get_schedule_handle(f"reconcile/github/{name}")
    await handle.pause(note="the forge is being moved")
    moved = reconciled_repositories(f"https://github.example/{name}.git")
    await keep_schedules(worker_client, moved)

    known = (await handle.describe()).schedule
    await handle.delete()
    assert known.spec.intervals[0].every == timedelta(minutes=5)
    assert known.policy.overlap is ScheduleOverlapPolicy.SKIP
    assert (known.state.paused, known.state.note) == (True, "the forge is being moved")
    assert isinstance(known.action, ScheduleActionStartWorkflow)
    assert known.action.workflow == "ReconcileWorkflow"
    assert known.action.task_queue == "regreen-orchestrator"
    (argument,) = await worker_client.data_converter.decode(known.action.args)  # type: ignore[arg-type]
    assert argument["location"] == f"https://github.example/{name}.git"
