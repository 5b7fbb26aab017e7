"""Finding tools: in Regreen's tools folder, beside its Python, then on PATH."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from regreen.tools.catalogue import describe

PACKAGES = "packages"
"""Folder in the tools folder with one folder for each installed tool, `NAME-VERSION`."""

_ANSWER_SECONDS = 20.0


def tools_directory() -> Path:
    """Folder that tools are installed into: `REGREEN_TOOLS`, or one in Regreen's environment."""
    chosen = os.environ.get("REGREEN_TOOLS")
    if chosen:
        return Path(chosen).expanduser().absolute()
    return Path(sys.prefix) / "share" / "regreen" / "tools"


def find(name: str) -> Path | None:
    """Return the program to run for a tool, or None when it is missing.

    For a tool that is a Python module the program is this interpreter. Raises UsageError for a
    name that the table of tools does not have.
    """
    tool = describe(name)
    if tool.kind == "python":
        return Path(sys.executable) if importlib.util.find_spec(tool.name) else None
    installed = tools_directory() / "bin" / tool.executable
    if _is_executable(installed):
        return installed.resolve()
    beside = Path(sys.prefix) / "bin" / tool.executable
    if _is_executable(beside):
        return beside
    on_path = shutil.which(tool.executable)
    return Path(on_path).absolute() if on_path else None


def command(name: str) -> list[str] | None:
    """Return the first words of the command line that runs a tool, or None when it is missing."""
    path = find(name)
    if path is None:
        return None
    tool = describe(name)
    return [str(path), "-m", tool.name] if tool.kind == "python" else [str(path)]


def version(name: str, path: Path) -> str | None:
    """Ask the program at `path` for its version; None when it gives no answer.

    A tool that Regreen installed is known by the version of its package: Debian's cosign calls
    itself "devel", and a wheel may be a later build of the same program.
    """
    tool = describe(name)
    try:
        answer = subprocess.run(
            [path, *tool.version_arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_ANSWER_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(tool.version_pattern, answer.stdout + answer.stderr, re.MULTILINE)
    if answer.returncode != 0 or match is None:
        return None
    return _package_version(tool.name, path) or match[1]


def _package_version(name: str, path: Path) -> str | None:
    for folder in path.parents:
        if folder.name.startswith(f"{name}-") and folder.parent.name == PACKAGES:
            return folder.name.removeprefix(f"{name}-")
    return None


def _is_executable(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)
