"""Running the programs that fetch tools, and what can go wrong with them."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

_SECONDS = 300.0


class ToolFailedError(Exception):
    """Getting a tool went wrong: no network, a wrong digest, a refused signature."""


class ToolUnavailableError(Exception):
    """This machine cannot get the tool this way. The message says what to do instead."""


def run_program(
    arguments: Sequence[str], directory: Path, environment: Mapping[str, str] | None = None
) -> str:
    """Run a program in `directory` and return what it prints.

    `environment` is added to that of this process. Raises ToolFailedError with the last line of
    the program's errors when it fails, or does not end within five minutes.
    """
    try:
        outcome = subprocess.run(
            arguments,
            cwd=directory,
            env={**os.environ, "LC_ALL": "C.UTF-8", **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ToolFailedError(f"{arguments[0]} did not end within {_SECONDS:.0f} s") from error
    if outcome.returncode != 0:
        lines = [line.strip() for line in outcome.stderr.splitlines() if line.strip()]
        raise ToolFailedError(lines[-1] if lines else f"{arguments[0]} failed")
    return outcome.stdout
