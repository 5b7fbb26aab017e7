"""The caller's end of a fork server in the sandbox."""

import asyncio
import contextlib
import json
import shutil
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from activities.sandbox import (
    WORKSPACE,
    Limits,
    Mount,
    Sandbox,
    inside,
    kill_sandboxed,
    sandbox_command,
)
from activities.workspace import private_folder

_PROGRAM = Path(__file__).with_name("regreen_fork_server")
_SHOWN_AS = "/regreen_fork_server"
_LONGEST_ANSWER = 256 << 20
_CLOSING_SECONDS = 2.0
_MEMORY_BYTES = 4 << 30


class ServerDied(Exception):
    """The server ended or stopped answering; its workspace may hold a candidate's files."""


class CandidateServer:
    """One running fork server. Its requests and answers are described in `regreen_fork_server`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def ask(self, request: Mapping[str, Any], timeout: float) -> dict[str, Any]:
        """Send a request and return the answer. Raises ServerDied, also past `timeout` seconds."""
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            async with asyncio.timeout(timeout):
                await self._process.stdin.drain()
                line = await self._process.stdout.readline()
            answer = json.loads(line)
        except (OSError, TimeoutError, ValueError) as error:
            raise ServerDied(str(error) or "no answer in time") from error
        if not isinstance(answer, dict) or not isinstance(answer.get("verdict"), str):
            raise ServerDied("not an answer")
        return answer


@contextlib.asynccontextmanager
async def candidate_server(workspace: Path, environment: Path) -> AsyncIterator[CandidateServer]:
    """A fork server on its own copy of the workspace; at the end both are gone."""
    with private_folder() as folder:
        copy, private = folder / "workspace", folder / "private"
        private.mkdir()
        await asyncio.to_thread(shutil.copytree, workspace, copy, symlinks=True)
        roots = [copy / "src", copy] if (copy / "src").is_dir() else [copy]
        shown = Sandbox(workspace=copy)
        variables = {
            "PYTHONPATH": ":".join(inside(shown, root) for root in roots),
            "PYTHONHASHSEED": "0",
        }
        sandbox = Sandbox(
            workspace=copy,
            environment=environment,
            mounts=(Mount(_PROGRAM, _SHOWN_AS),),
            variables=variables,
            limits=Limits(memory_bytes=_MEMORY_BYTES),
        )
        python = inside(sandbox, environment) + "/bin/python"
        program = _SHOWN_AS if inside(sandbox, copy) == WORKSPACE else str(_PROGRAM)
        argv, env, cwd = sandbox_command(sandbox, [python, program], private)
        process = await asyncio.create_subprocess_exec(
            *argv,
            env=env,
            cwd=cwd,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=_LONGEST_ANSWER,
            start_new_session=True,
        )
        try:
            yield CandidateServer(process)
        finally:
            await asyncio.shield(_closed(process))


async def _closed(process: asyncio.subprocess.Process) -> None:
    # The server ends what it started when its input ends; bubblewrap ends the rest.
    assert process.stdin is not None
    process.stdin.close()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), _CLOSING_SECONDS)
    await kill_sandboxed(process)
