"""The gateway's log: one JSON object a line, on standard error, with neither bodies nor secrets."""

import json
import logging
import sys
from datetime import UTC, datetime

_log = logging.getLogger("regreen.gateway")


class JsonLines(logging.Formatter):
    """A record as a JSON object: time, level, logger, event, and what the caller adds."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        told = {
            "time": moment,
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        if record.exc_info:
            # The type only: a message can repeat what came from outside.
            told["error"] = getattr(record.exc_info[0], "__name__", "unknown")
        return json.dumps(told | getattr(record, "told", {}), ensure_ascii=True)


def log_to_standard_error() -> None:
    """Send this process's log to standard error, in place of a file."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    _log.setLevel(logging.INFO)


def log_event(event: str, *, level: int = logging.INFO, **told: object) -> None:
    """Log what happened with its particulars."""
    _log.log(level, event, extra={"told": told})
