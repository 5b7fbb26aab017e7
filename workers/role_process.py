"""A process that serves one role until it is told to stop."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator

from temporalio.client import Client
from temporalio.service import RPCError

from activities.process import die_with_parent
from activities.workspace import sweep
from regreen.inherited_variables import NETWORK_VARIABLES
from regreen.roles import Role
from regreen.settings import Settings
from workers.connection import connect
from workers.development_server import end
from workers.orphans import retry_orphans
from workers.worker import serving

# What a runner needs of its parent's environment; whatever is not named, secrets above all, is
# not handed down.
_INHERITED = (
    *NETWORK_VARIABLES,
    *("HOME", "LANG", "LC_ALL", "PATH", "PYTHONPATH", "REGREEN_TOOLS", "TMPDIR", "TZ"),
)
_RESTART_SECONDS = 1.0


async def serve(role: Role, address: str | None = None) -> None:
    """Serve a role until SIGTERM or SIGINT, then let running activities end or cancel them."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    client = await connect(role, address)
    sweep()
    async with serving(client, role):
        await stop.wait()


@contextlib.asynccontextmanager
async def role_process(role: Role, client: Client, settings: Settings) -> AsyncIterator[None]:
    """Run a role in a child process without this process's secrets.

    When it dies it is started again, and what it was doing is retried at once.
    """
    keeper = asyncio.create_task(_keep(role, client, settings))
    try:
        yield
    finally:
        keeper.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeper


async def _keep(role: Role, client: Client, settings: Settings) -> None:
    address = client.service_client.config.target_host
    while True:
        child = await asyncio.create_subprocess_exec(
            *die_with_parent(),
            *(sys.executable, "-m", "regreen", "worker", "--role", role, "--address", address),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            env=_environment(settings),
            start_new_session=True,
        )
        try:
            await child.wait()
            with contextlib.suppress(RPCError):
                await retry_orphans(client)
            await asyncio.sleep(_RESTART_SECONDS)
        finally:
            await asyncio.shield(end(child, grace=15.0))


def _environment(settings: Settings) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    own = {"REGREEN_STATE": str(settings.state.resolve())}
    if settings.payload_keys is not None:
        # Whoever reads or answers a step has to have them; the sandbox does not show them.
        own["REGREEN_PAYLOAD_KEYS"] = settings.payload_keys.get_secret_value()
    if settings.trivy_database is not None:
        own["REGREEN_TRIVY_DATABASE"] = str(settings.trivy_database.resolve())
    if settings.osv_url is not None:
        own["REGREEN_OSV_URL"] = settings.osv_url
    if settings.artifacts is not None:
        own["REGREEN_ARTIFACTS"] = settings.artifacts
        # A store that is not a folder is reached with credentials; the sandbox does not show them.
        own |= {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    return inherited | own
