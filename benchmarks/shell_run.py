"""Running `line.sh`, the storefront's line as a plain shell script."""

import os
import shutil
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from activities.interpreter import find_interpreter
from activities.process import run_process
from regreen.errors import UsageError
from regreen.pipeline_file import Pipeline
from regreen.settings import load_settings
from regreen.tools.locate import find

_SCRIPT = Path(__file__).resolve().with_name("line.sh")
_GIT_SETTINGS = _SCRIPT.parent.parent / "activities" / "git_settings.ini"
_TIMEOUT = 600.0
_TOOLS = ("uv", "ruff", "k6", "gitleaks", "syft", "trivy", "cosign")


@dataclass(frozen=True)
class ShellRun:
    """How one run of the script went, in seconds."""

    seconds: float
    steps: dict[str, float]


async def run_shell(repository: Path, folder: Path, number: int) -> ShellRun:
    """Run the line of `repository`; `folder` keeps environment, caches and the signing key.

    Raises UsageError when a tool is missing or the script fails.
    """
    folder.mkdir(exist_ok=True)
    variables = await _variables()
    work = folder / f"run-{number}"
    variables |= {
        "REPOSITORY": str(repository),
        "WORK": str(work),
        "KEPT": str(folder / "kept"),
        "SOURCE": str(folder / "source"),
        "PORT": str(_free_port()),
    }
    started = time.perf_counter()
    done = await run_process(
        ["bash", str(_SCRIPT)],
        output=folder / "output.txt",
        timeout=_TIMEOUT,
        subject="line.sh",
        env=dict(os.environ) | variables,
    )
    seconds = time.perf_counter() - started
    if done.code != 0:
        why = f"did not end within {_TIMEOUT:g} s" if done.timed_out else done.tail().strip()
        raise UsageError(f"the shell script failed: {why or f'exit code {done.code}'}")
    steps = _steps(work / "steps")
    shutil.rmtree(work)
    return ShellRun(seconds, steps)


async def _variables() -> dict[str, str]:
    variables = {
        "GIT_SETTINGS": str(_GIT_SETTINGS),
        "INTERPRETER": str(await find_interpreter(Pipeline(), None)),
        "TOOLS_PYTHON": sys.executable,
        "TRIVY_DATABASE": str(load_settings().trivy_database or ""),
    }
    for name in _TOOLS:
        path = find(name)
        if path is None:
            raise UsageError(f"{name} not found, `regreen tools install`")
        variables[name.upper()] = str(path)
    return variables


def _steps(path: Path) -> dict[str, float]:
    lines = [line.split() for line in path.read_text().splitlines()]
    return {name: float(end) - float(start) for name, start, end in lines}


def _free_port() -> int:
    with socket.socket() as each:
        each.bind(("127.0.0.1", 0))
        return int(each.getsockname()[1])
