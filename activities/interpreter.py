"""Finding the Python interpreter that a repository wants."""

import asyncio
import platform
import sys
import tomllib
from pathlib import Path

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from regreen.errors import UsageError
from regreen.pipeline_file import Pipeline
from regreen.tools.locate import find


async def find_interpreter(pipeline: Pipeline, pyproject: str | None) -> Path:
    """The interpreter for a repository's environment.

    `pyproject` is the text of its pyproject.toml, if it has one. What the pipeline file asks for
    goes before `requires-python`; Regreen's own interpreter is taken when it satisfies either.
    Raises UsageError naming what is wanted and what is here.
    """
    wanted = pipeline.python or _requires_python(pyproject) or ""
    try:
        specifier = SpecifierSet(_as_specifier(wanted))
    except InvalidSpecifier as error:
        raise UsageError(f"`{wanted}` is not a Python version") from error
    own = platform.python_version()
    if specifier.contains(own, prereleases=True):
        return Path(sys.executable if sys.prefix == sys.base_prefix else _base_executable())
    found = await _uv_find(wanted)
    if found is None:
        raise UsageError(
            f"unsupported Python: the repository wants {wanted}, this machine has {own}; "
            "install it, or set `python:` in regreen.yaml"
        )
    return found


def _requires_python(pyproject: str | None) -> str | None:
    if pyproject is None:
        return None
    try:
        project = tomllib.loads(pyproject).get("project", {})
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"pyproject.toml: not valid TOML: {error}") from error
    if not isinstance(project, dict):
        raise UsageError("pyproject.toml: `project` is not a table")
    wanted = project.get("requires-python")
    return wanted if isinstance(wanted, str) else None


def _as_specifier(wanted: str) -> str:
    if wanted and wanted[0].isdigit():
        return f"=={wanted}.*" if wanted.count(".") < 2 else f"=={wanted}"
    return wanted


def _base_executable() -> str:
    return str(getattr(sys, "_base_executable", sys.executable))


async def _uv_find(wanted: str) -> Path | None:
    uv = find("uv")
    if uv is None:
        return None
    process = await asyncio.create_subprocess_exec(
        *(str(uv), "python", "find", "--no-project", "--no-python-downloads", "--system", wanted),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    out, _ = await process.communicate()
    return Path(out.decode().strip()) if process.returncode == 0 else None
