"""Ports on loopback for servers that are started later, or once more."""

import contextlib
import random
import socket

# Linux gives those from 32768 on to whoever asks for any, so that one which was found free may be
# the end of somebody's connection by the time a server listens there.
_CHOSEN_FROM = range(20_000, 32_000)


def free_ports(count: int) -> tuple[int, ...]:
    """Different ports that nobody listens on, and that nobody gets without naming them."""
    found: set[int] = set()
    while len(found) < count:
        port = random.SystemRandom().choice(_CHOSEN_FROM)
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", port))
            found.add(port)
    return tuple(found)
