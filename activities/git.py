"""Running git so that no configuration, hook or helper of the machine changes what it does."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

from temporalio.exceptions import ApplicationError

from activities.process import die_with_parent
from regreen.inherited_variables import NETWORK_VARIABLES

_ENVIRONMENT = {
    "GIT_CONFIG_GLOBAL": str(Path(__file__).with_name("git_settings.ini")),
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "LC_ALL": "C",
}
# No secret, and no GIT_INDEX_FILE or GIT_DIR of the caller's that would redirect a command.
_INHERITED = (*NETWORK_VARIABLES, "HOME", "PATH", "SSH_AUTH_SOCK", "TMPDIR", "USER")

# Stronger than a repository's own configuration, which must not start programs either.
_OPTIONS = ("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false")


async def git(
    arguments: Sequence[str],
    *,
    cwd: Path | None = None,
    data: bytes | None = None,
    env: Mapping[str, str] | None = None,
) -> bytes:
    """Run git and return its standard output. `data` is its standard input.

    A cancellation ends git with its helpers, which speak to servers. Raises ApplicationError
    `GitFailed` with git's last line.
    """
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    process = await asyncio.create_subprocess_exec(
        *die_with_parent(),
        "git",
        *_OPTIONS,
        *arguments,
        cwd=cwd,
        env=inherited | _ENVIRONMENT | dict(env or {}),
        stdin=asyncio.subprocess.DEVNULL if data is None else asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        out, err = await process.communicate(data)
    except asyncio.CancelledError:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        raise
    if process.returncode != 0:
        lines = err.decode("utf-8", "replace").strip().splitlines() or ["no message"]
        raise ApplicationError(f"git {arguments[0]}: {lines[-1]}", type="GitFailed")
    return out


def object_format(commit: str) -> str:
    """The option of `git init` for a repository that can hold the commit."""
    return "--object-format=sha256" if len(commit) == 64 else "--object-format=sha1"
