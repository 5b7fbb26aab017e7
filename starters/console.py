"""Where the command line writes: progress and errors to standard error, results to output."""

import asyncio
import json
import os
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

import typer
from rich.console import Console

from regreen.errors import EXIT_INTERRUPTED, UnreachableError, UsageError

Result = TypeVar("Result")

errors = Console(stderr=True)
output = Console()


def note(text: str) -> None:
    """A remark on standard error."""
    errors.print(f"note: {text}", style="yellow", markup=False, highlight=False, soft_wrap=True)


def print_json(document: Any) -> None:
    """Print one JSON document to standard output."""
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def leave(code: int) -> None:
    """End the process now.

    Programs that used the Temporal SDK can crash when the interpreter shuts down, with status 134
    after all went well (temporalio/sdk-python issue 300).
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def tell(error: UsageError | UnreachableError) -> int:
    """Print an error that people cause or meet in one line; returns its exit code."""
    errors.print(f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
    return error.exit_code


def complete(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a command's coroutine; an error that people cause or meet becomes one line."""
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        errors.print("interrupted; a started run goes on with the next `regreen run` or `up`")
        leave(EXIT_INTERRUPTED)
        raise
    except (UsageError, UnreachableError) as error:
        leave(tell(error))
        raise


def run_application(
    app: typer.Typer, arguments: list[str] | None = None, name: str | None = None
) -> None:
    """Parse the arguments, by default the process's, run the command, end with its exit code."""
    try:
        code = app(arguments, prog_name=name, standalone_mode=False)
    except typer.Exit as ended:
        code = ended.exit_code
    except (typer.Abort, KeyboardInterrupt):
        code = EXIT_INTERRUPTED
    except (UsageError, UnreachableError) as error:
        code = tell(error)
    except Exception as error:
        show = getattr(error, "show", None)
        if show is None:
            raise
        show()
        code = 2
    leave(code if isinstance(code, int) else 0)
