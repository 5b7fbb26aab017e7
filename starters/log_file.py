"""Where workers and the SDK log: a file, so that the command line shows only what it means to."""

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path

from temporalio.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)

from regreen.errors import UsageError


def log_to(state: Path) -> None:
    """Send every log record to `<state>/regreen.log`; UsageError where it cannot be written."""
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        handler = RotatingFileHandler(state / "regreen.log", maxBytes=5_000_000, backupCount=2)
    except OSError as error:
        raise UsageError(
            f"state folder {state}: {error.strerror}; name another: --state"
        ) from error
    handler.setFormatter(
        logging.Formatter("%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s")
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    # By itself the SDK's core writes to standard output, in the middle of a JSON document.
    forwarded = LoggingConfig(
        TelemetryFilter(core_level="WARN", other_level="ERROR"),
        LogForwardingConfig(logging.getLogger("temporalio.core")),
    )
    runtime = Runtime(telemetry=TelemetryConfig(logging=forwarded))
    Runtime.set_default(runtime, error_if_already_set=False)
