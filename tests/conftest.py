"""The real development server that tests share, and an end that leaves nothing behind."""

import gc
import os
import shlex
import sys
import tempfile
from collections.abc import AsyncIterator, Generator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from regreen.tools.locate import find
from workflows.search_attributes import ALL

# The first two make time skipping work at all, and in milliseconds; the others are the embedded
# server's own, without which every step costs 50 ms.
_FLAGS = (
    "frontend.WorkflowTimeSkippingEnabled=true",
    'history.timerProcessorMaxTimeShift="10ms"',
    "history.transferProcessorMaxPollRPS=200",
    "history.timerProcessorMaxPollRPS=200",
    "history.visibilityProcessorMaxPollRPS=200",
    "matching.numTaskqueueReadPartitions=1",
    "matching.numTaskqueueWritePartitions=1",
)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_cmdline_main() -> Generator[None, int, int]:
    """End without Python's finalisation, in which the SDK's threads crash now and then."""
    code = yield
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(int(code))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect without looking for garbage, four tenths of the time: all that is made stays."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session", autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Temporary files and state, of this process and those that it starts, are pytest's to remove.

    Whatever is killed leaves nothing elsewhere.
    """
    temporary, state = tmp_path_factory.mktemp("tmp"), tmp_path_factory.mktemp("state")
    with pytest.MonkeyPatch.context() as changed:
        changed.setattr(tempfile, "tempdir", str(temporary))
        changed.setenv("TMPDIR", str(temporary))
        changed.setenv("REGREEN_STATE", str(state))
        yield


@pytest_asyncio.fixture(scope="session")
async def env(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WorkflowEnvironment]:
    """The server, with time skipping switched on for every workflow that is started through it.

    Every workflow has its own clock.
    """
    server = find("temporal")
    if server is None:
        pytest.fail("temporal not found; `make setup` installs it")
    environment = await WorkflowEnvironment.start_time_skipping_v2(
        search_attributes=ALL,
        dev_server_existing_path=str(_ending_with_us(server, tmp_path_factory.mktemp("server"))),
        dev_server_extra_args=[w for flag in _FLAGS for w in ("--dynamic-config-value", flag)],
        dev_server_log_level="error",
        dev_server_startup_timeout=timedelta(seconds=30),
        data_converter=pydantic_data_converter,
    )
    async with environment:
        yield environment


@pytest_asyncio.fixture(scope="session")
async def worker_client(env: WorkflowEnvironment) -> Client:
    """A client as workers have it, without what the environment adds for tests."""
    return await env.connect_client(data_converter=pydantic_data_converter)


def _ending_with_us(server: Path, folder: Path) -> Path:
    """A program that is the server, and ends within a second when this process is killed."""
    program = folder / "temporal"
    program.write_text(
        "#!/bin/sh\n"
        f"(while kill -0 {os.getpid()} && kill -0 $$; do sleep 1; done; kill $$) "
        "</dev/null >/dev/null 2>&1 &\n"
        f'exec {shlex.quote(str(server))} "$@"\n',
        "utf-8",
    )
    program.chmod(0o700)
    return program
