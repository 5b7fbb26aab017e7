"""`regreen codec`: the codec server as a process of its own."""

import asyncio
import ipaddress
import signal

from regreen.errors import EXIT_OK, UsageError
from regreen.settings import Settings
from starters.console import errors, note
from workers import codec_server
from workers.payload_codec import EncryptionCodec, payload_keys


async def codec(host: str, port: int, settings: Settings) -> int:
    """Serve until SIGINT or SIGTERM.

    Raises UsageError without keys, for an address that cannot be served, and beyond loopback
    without a token.
    """
    keys = payload_keys(settings)
    if not keys:
        raise UsageError(
            "REGREEN_PAYLOAD_KEYS is not set; without keys there is nothing to decrypt with"
        )
    token = settings.codec_token
    if token is None and not _is_loopback(host):
        raise UsageError(
            f"{host} is not loopback: set REGREEN_CODEC_TOKEN, or everyone who reaches it can "
            "decrypt"
        )
    if settings.ui is None:
        note("REGREEN_UI is not set: programs are answered, and pages of no web UI")
    application = codec_server.codec_application(
        EncryptionCodec(keys),
        origins=[] if settings.ui is None else [settings.ui.rstrip("/")],
        token=None if token is None else token.get_secret_value(),
    )
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        listener = codec_server.bound(host, port)
    except OSError as error:
        raise UsageError(f"cannot listen at {host}:{port}: {error.strerror or error}") from error
    with listener:
        address = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
        async with codec_server.serving(application, listener):
            errors.print(f"codec server: {address}", highlight=False, soft_wrap=True)
            await stop.wait()
    return EXIT_OK


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
