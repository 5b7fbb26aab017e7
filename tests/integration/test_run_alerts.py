"""Thresholds over a repository's last runs, on a real server: said once, and once when over."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment

from activities.run_alerts import judge_run_alerts
from activities.run_status import RunQuestion, is_run_open
from regreen.contracts.announcement import EndedRun
from regreen.contracts.run import RunState
from tests.integration.unserved_runs import unserved_run
from workflows import search_attributes

Judge = Callable[..., Awaitable[list[tuple[str, bool, str]]]]


@pytest.fixture
def repository(own_state: Path) -> str:
    return f"example/it's-{uuid.uuid4().hex[:8]}"


async def _open(client: Client, repository: str, state: RunState, attempts: int) -> tuple[str, str]:
    known = {
        search_attributes.REPOSITORY: repository,
        search_attributes.STATE: state,
        search_attributes.HEAL_ATTEMPTS: attempts,
    }
    handle = await unserved_run(client, repository, known)
    return handle.id, handle.first_execution_run_id or ""


@pytest.fixture
def ended(worker_client: Client, repository: str) -> Callable[..., Awaitable[None]]:
    """Makes runs that have ended so, in this order."""
    made = 0

    async def make(*states: RunState, attempts: int = 0) -> None:
        nonlocal made
        for state in states:
            run, _ = await _open(worker_client, repository, state, attempts)
            await worker_client.get_workflow_handle(run).terminate()
            made += 1
        name = repository.replace("'", "\\'")
        query = f"RegreenRepository = '{name}' AND ExecutionStatus = 'Terminated'"
        while (await worker_client.count_workflows(query)).count != made:
            await asyncio.sleep(0.02)

    return make


@pytest.fixture
def judge(worker_client: Client, repository: str) -> Judge:
    """Judges a run that has just ended; gives metric, whether it crossed, and text."""

    async def ask(
        state: RunState = "passed", attempts: int = 0, seconds: float = 1.0, run_id: str = ""
    ) -> list[tuple[str, bool, str]]:
        question = EndedRun(
            run="pipeline/x",
            run_id=run_id or uuid.uuid4().hex,
            repository=repository,
            state=state,
            heal_attempts=attempts,
            seconds=seconds,
        )
        environment = ActivityEnvironment(client=worker_client)
        found = await environment.run(judge_run_alerts, question)
        return [(each.metric, each.crossed, each.text) for each in found.alerts]

    return ask


async def test_a_rate_that_falls_is_said_once_and_once_when_it_is_back(
    ended: Callable[..., Awaitable[None]], judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGREEN_ALERT_SUCCESS_RATE", "0.8")
    monkeypatch.setenv("REGREEN_ALERT_RUNS", "5")
    await ended("passed", "released", "passed", "passed")
    assert await judge("failed") == []
    await ended("failed")
    text = "success rate 60% over the last 5 runs, below 80%"
    assert await judge("failed", run_id="second") == [("success-rate", True, text)]
    # A try that is made again says it again; another run does not.
    assert await judge("failed", run_id="second") == [("success-rate", True, text)]
    assert await judge("failed") == []
    await ended("passed", "passed", "passed", "passed")
    back = "success rate 100% over the last 5 runs, not below 80%"
    assert await judge("passed") == [("success-rate", False, back)]
    assert await judge("passed") == []


async def test_attempts_and_duration_have_thresholds_of_their_own(
    ended: Callable[..., Awaitable[None]], judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGREEN_ALERT_HEAL_ATTEMPTS", "1.5")
    monkeypatch.setenv("REGREEN_ALERT_P95", "1h")
    await ended("passed", "passed", attempts=1)
    await ended("failed", "failed", attempts=2)
    assert await judge("passed", attempts=2, seconds=7200) == [
        ("heal-attempts", True, "1.6 heal attempts a run over the last 5 runs, above 1.5"),
        ("p95", True, "95 of 100 runs take up to 7200 s over the last 5 runs, above 3600 s"),
    ]


async def test_fewer_than_five_runs_say_nothing(
    ended: Callable[..., Awaitable[None]], judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGREEN_ALERT_SUCCESS_RATE", "1")
    await ended("failed", "failed", "failed")
    assert await judge("failed") == []


async def test_what_people_ended_and_what_goes_on_does_not_count(
    ended: Callable[..., Awaitable[None]],
    judge: Judge,
    worker_client: Client,
    repository: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REGREEN_ALERT_SUCCESS_RATE", "1")
    await ended("failed", "failed", "failed", "rejected", "expired", "cancelled")
    await _open(worker_client, repository, "failed", 0)
    assert await judge("failed") == []
    assert await judge("cancelled") == []


async def test_whether_a_run_goes_on(worker_client: Client, repository: str) -> None:
    environment = ActivityEnvironment(client=worker_client)
    run, run_id = await _open(worker_client, repository, "running", 0)
    question = RunQuestion(run=run, run_id=run_id)
    assert await environment.run(is_run_open, question)
    await worker_client.get_workflow_handle(run).terminate()
    assert not await environment.run(is_run_open, question)
    forgotten = RunQuestion(run="pipeline/gone", run_id=str(uuid.uuid4()))
    assert not await environment.run(is_run_open, forgotten)
