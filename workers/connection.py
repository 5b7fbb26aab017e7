"""Connecting to Temporal: the configured server, or the embedded one's address."""

import json
import os
from pathlib import Path

from temporalio.client import Client
from temporalio.envconfig import ClientConfig, ClientConfigProfile
from temporalio.service import RPCError

from regreen.errors import UnreachableError, UsageError
from regreen.settings import load_settings
from workers.orphans import worker_identity
from workers.payload_codec import data_converter


def configured_address() -> str | None:
    """The address in Temporal's environment configuration; None when no server is configured.

    Raises UsageError when that configuration cannot be read.
    """
    try:
        return ClientConfigProfile.load().address
    except Exception as error:
        raise UsageError(f"Temporal's environment configuration: {error}") from error


def embedded_address(state: Path) -> str | None:
    """The address of the embedded server that last ran for a state folder."""
    try:
        return str(json.loads((state / "server.json").read_text("utf-8"))["address"])
    except (OSError, ValueError, KeyError):
        return None


async def connect(role: str, address: str | None = None, *, lazy: bool = False) -> Client:
    """Connect as `role` to `address`, or to the configured server; if `lazy`, with the first call.

    Raises UnreachableError when nothing answers there, and UsageError for payload keys that are
    none.
    """
    converter = data_converter(load_settings())
    identity = worker_identity(role, os.getpid())
    if address is not None:
        target, options = address, {}
    else:
        options = dict(ClientConfig.load_client_connect_config())
        target = str(options.pop("target_host", "") or "localhost:7233")
    try:
        return await Client.connect(
            target,
            data_converter=converter,
            identity=identity,
            lazy=lazy,
            **options,  # type: ignore[arg-type]
        )
    except (RuntimeError, RPCError) as error:
        raise UnreachableError(
            f"Temporal does not answer at {target}; start it, or unset TEMPORAL_ADDRESS to use the "
            "embedded server"
        ) from error
