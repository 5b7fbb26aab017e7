"""Running the gateway: settings, server, schedules."""

import asyncio
import contextlib
import ipaddress
import logging
import signal
import socket
from collections.abc import AsyncIterator, Iterator

import uvicorn
from temporalio.service import RPCError

from regreen.contracts.reconciliation import ReconcileRequest
from regreen.errors import EXIT_OK, UnreachableError, UsageError
from regreen.settings import Settings
from starters.gateway.application import application
from starters.gateway.handover import Handover
from starters.gateway.logs import log_event, log_to_standard_error
from starters.gateway.providers import webhook_secrets
from starters.gateway.schedules import keep_schedules, reconciled_repositories

_MOST_CONNECTIONS = 256
_SCHEDULE_SECONDS = 30.0


async def gateway(
    host: str, port: int, forwarded_allow_ips: str, settings: Settings, *, insecure_local: bool
) -> int:
    """Serve until SIGINT or SIGTERM; deliveries under way are answered first.

    Raises UsageError when no secret is set, unless `insecure_local`, which wants loopback.
    """
    secrets = webhook_secrets(settings)
    if insecure_local and not _is_loopback(host):
        raise UsageError(f"--insecure-local listens on loopback only, not on {host}")
    if not secrets and not insecure_local:
        raise UsageError(
            "no webhook secret is set: set REGREEN_GITHUB_WEBHOOK_SECRETS or another provider's, "
            "or try it with --insecure-local"
        )
    reconciled = reconciled_repositories(settings.reconcile)
    log_to_standard_error()
    listener = _listener(host, port)
    handover = Handover(settings.state)
    app = application(secrets, handover.hand_over, handover.is_ready, unsigned=insecure_local)
    server = _Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=True,
            forwarded_allow_ips=forwarded_allow_ips,
            limit_concurrency=_MOST_CONNECTIONS,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=10,
        )
    )
    log_event(
        "starting", host=host, port=port, providers=sorted(secrets), reconciled=len(reconciled)
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, server.stop)
    async with _schedules(handover, reconciled):
        await server.serve(sockets=[listener])
    return EXIT_OK


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends small writes at once only on sockets that name their protocol; otherwise an
    # answer's second half waits 40 ms for the client to confirm the first.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(_MOST_CONNECTIONS)
    except OSError as error:
        listener.close()
        raise UsageError(f"cannot listen on {host}:{port}: {error.strerror}") from error
    return listener


class _Server(uvicorn.Server):
    """Leaves signals to the caller: its own handling ends the process with the signal's status."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def stop(self) -> None:
        """Answer what is under way, then return from `serve`."""
        self.should_exit = True


@contextlib.asynccontextmanager
async def _schedules(handover: Handover, requests: list[ReconcileRequest]) -> AsyncIterator[None]:
    keeper = asyncio.create_task(_keep_until_done(handover, requests))
    try:
        yield
    finally:
        keeper.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeper


async def _keep_until_done(handover: Handover, requests: list[ReconcileRequest]) -> None:
    while requests:
        try:
            await keep_schedules(await handover.client(), requests)
        except (RPCError, RuntimeError, UnreachableError) as error:
            log_event("schedules not made", level=logging.WARNING, error=type(error).__name__)
            await asyncio.sleep(_SCHEDULE_SECONDS)
        else:
            log_event("schedules made", repositories=[each.repository for each in requests])
            return


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
