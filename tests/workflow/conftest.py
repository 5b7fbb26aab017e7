"""One real development server for the workflow tests; every workflow has its own clock."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from regreen.tools.locate import find

_FLAGS = ("frontend.WorkflowTimeSkippingEnabled=true", 'history.timerProcessorMaxTimeShift="10ms"')


@pytest_asyncio.fixture(scope="session")
async def env() -> AsyncIterator[WorkflowEnvironment]:
    """The server, with time skipping switched on for every workflow that is started through it."""
    server = find("temporal")
    if server is None:
        pytest.fail("temporal not found; `make setup` installs it")
    flags = [word for flag in _FLAGS for word in ("--dynamic-config-value", flag)]
    environment = await WorkflowEnvironment.start_time_skipping_v2(
        dev_server_existing_path=str(server),
        dev_server_extra_args=flags,
        dev_server_log_level="error",
        dev_server_startup_timeout=timedelta(seconds=30),
        data_converter=pydantic_data_converter,
    )
    async with environment:
        yield environment
