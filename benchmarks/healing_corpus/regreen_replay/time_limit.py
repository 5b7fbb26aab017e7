"""A limit on the seconds of one replayed call."""

import contextlib
import signal
from collections.abc import Iterator

SECONDS = 1.0


class TooLong(BaseException):
    """A call that does not end in time. No Exception, so that the call does not catch it."""


def _interrupt(*_: object) -> None:
    raise TooLong


@contextlib.contextmanager
def limited() -> Iterator[None]:
    """Raise TooLong in the block once its time is over."""
    signal.signal(signal.SIGALRM, _interrupt)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
