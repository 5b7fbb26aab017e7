"""Activities of dead workers are retried at once, those of living ones are left alone."""

import asyncio
import dataclasses
import os
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from temporalio import activity, workflow
from temporalio.client import Client, WorkflowHandle
from temporalio.converter import DataConverter
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from workers.orphans import retry_orphans, worker_identity
from workers.payload_codec import EncryptionCodec

pytestmark = pytest.mark.timeout(60)

_STARTED = asyncio.Event()


@activity.defn
async def stay() -> list[str]:
    """Hang on the first attempt; on the next tell what the first one last said."""
    if activity.info().attempt == 1:
        activity.heartbeat("half of it")
        _STARTED.set()
        await asyncio.Event().wait()
    return [str(detail) for detail in activity.info().heartbeat_details]


@workflow.defn
class StayWorkflow:
    """Runs `stay` without any time-out that could end it within the test."""

    @workflow.run
    async def run(self) -> list[str]:
        return await workflow.execute_activity(stay, start_to_close_timeout=timedelta(hours=1))


Run = WorkflowHandle[StayWorkflow, list[str]]


def _converter(*keys: bytes) -> DataConverter:
    return dataclasses.replace(DataConverter.default, payload_codec=EncryptionCodec(keys))


def _ended_process() -> int:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return ended.pid


@asynccontextmanager
async def _started(
    env: WorkflowEnvironment, process: int, *keys: bytes
) -> AsyncIterator[tuple[Client, Run]]:
    """A run whose activity is under way at a worker that calls itself by a process id."""
    _STARTED.clear()
    queue = f"orphans-{uuid.uuid4()}"
    client = await Client.connect(
        env.client.service_client.config.target_host,
        identity=worker_identity("runner", process),
        data_converter=_converter(*keys),
    )
    async with Worker(
        client,
        task_queue=queue,
        workflows=[StayWorkflow],
        activities=[stay],
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        run = await client.start_workflow(StayWorkflow.run, id=queue, task_queue=queue)
        await _STARTED.wait()
        # The list of workflows learns of a new one a moment later.
        while not [each async for each in client.list_workflows(f"WorkflowId = '{queue}'")]:
            await asyncio.sleep(0.05)
        yield client, run


async def test_what_a_dead_worker_did_is_retried_with_what_it_had_said(
    env: WorkflowEnvironment,
) -> None:
    async with _started(env, _ended_process()) as (client, run):
        assert await retry_orphans(client) == ["stay"]
        assert await run.result() == ["half of it"]


async def test_what_a_living_worker_does_is_left_alone(env: WorkflowEnvironment) -> None:
    async with _started(env, os.getpid()) as (client, run):
        assert await retry_orphans(client) == []
        await run.terminate()


async def test_what_cannot_be_decrypted_is_left_to_its_time_out(env: WorkflowEnvironment) -> None:
    async with _started(env, _ended_process(), os.urandom(32)) as (_, run):
        other = await Client.connect(
            env.client.service_client.config.target_host, data_converter=_converter()
        )
        assert await retry_orphans(other) == []
        await run.terminate()
