"""The environment of a repository's own code: any runner makes the same one, once."""

import asyncio
import configparser
import hashlib
import json
import shutil
import tomllib
from pathlib import Path
from typing import Any

from temporalio.exceptions import ApplicationError

from activities.file_lock import file_lock
from activities.heartbeat import heartbeating
from activities.interpreter import find_interpreter
from activities.process import Completed
from activities.requirement_files import dependency_files
from activities.sandbox import inside, run_sandboxed
from activities.uv import last_error, uv_sandbox
from activities.workspace import private_folder
from regreen.contracts.source import Workspace
from regreen.errors import UsageError
from regreen.pipeline_file import Pipeline
from regreen.settings import load_settings
from regreen.tools.locate import find

_TEST_NAMES = ("dev", "test", "tests", "testing")
# What Regreen itself needs inside: structured results, coverage, and a runner.
_TOOLING = ("pytest>=7.4", "pytest-reportlog>=0.4", "coverage>=7.6")
_RECIPE = 1
_NOBODY = "nobody"
"""In the place of a repository's name, which has a slash."""


class EnvironmentFailed(Exception):
    """The environment could not be made; the message is one line, `output` the whole log."""

    def __init__(self, message: str, output: Path | None = None) -> None:
        super().__init__(message)
        self.output = output


def needs_environment(pipeline: Pipeline, copy: Path) -> bool:
    """Whether there is anything that a Python environment is for: pytest, or a package."""
    build = pipeline.build
    stages = [pipeline.tests(name) for name in ("unit", "integration", "e2e")]
    if any(section is not None and section.runs_pytest for section in stages):
        return True
    files = [copy / "pyproject.toml", copy / "setup.py", *copy.glob("requirements*.txt")]
    wanted = build.requirements or build.extras or build.groups
    return bool(wanted) or any(path.is_file() for path in files)


async def environment_of(workspace: Workspace, pipeline: Pipeline, copy: Path) -> Path | None:
    """The environment, as `ensure_environment` makes it; None where nothing needs one."""
    if not needs_environment(pipeline, copy):
        return None
    return await ensure_environment(workspace, pipeline, copy)


async def ensure_environment(workspace: Workspace, pipeline: Pipeline, copy: Path) -> Path:
    """The folder of the repository's virtual environment, made on this machine when needed.

    `copy` is a checked-out copy of the workspace. The environment depends on the repository and
    its dependency files only, so that a heal does not change it; without dependencies it is the
    same for all repositories. The project itself is installed editable from the sandbox's
    `/workspace`.
    Raises EnvironmentFailed, and a non-retryable ApplicationError `ToolMissing` without uv.
    """
    pyproject = copy / "pyproject.toml"
    text = pyproject.read_text("utf-8") if pyproject.is_file() else None
    try:
        interpreter = await find_interpreter(pipeline, text)
    except UsageError as error:
        raise EnvironmentFailed(str(error)) from error
    requirements = _requirements(copy, pipeline, tomllib.loads(text) if text else {})
    # What is installed for a repository can run its code, which can leave anything behind.
    owner = workspace.source.repository if requirements else _NOBODY
    recipe: list[Any] = [_RECIPE, owner, str(interpreter), requirements]
    recipe += [pipeline.build.model_dump(), _inputs(copy, pipeline)]
    key = hashlib.sha256(json.dumps(recipe).encode()).hexdigest()[:32]
    folder = load_settings().cache / "environments" / key
    complete = folder / ".complete"
    if complete.exists():
        return folder
    async with file_lock(folder.with_suffix(".lock"), "uv: environment"):
        if not complete.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            # A build back end is the repository's code. What it leaves behind, in .git above all,
            # must not reach the caller, who runs git in his copy.
            with private_folder() as private:
                own = private / "workspace"
                copied = asyncio.to_thread(shutil.copytree, copy, own, symlinks=True)
                await heartbeating(copied, "copy for the build")
                await _make(folder, own, owner, pipeline, interpreter, requirements)
            complete.touch()
    return folder


async def _make(
    folder: Path,
    copy: Path,
    owner: str,
    pipeline: Pipeline,
    interpreter: Path,
    requirements: list[str],
) -> None:
    uv = find("uv")
    if uv is None:
        raise ApplicationError(
            "uv not found, `regreen tools install`", type="ToolMissing", non_retryable=True
        )
    sandbox = uv_sandbox(
        uv,
        interpreter,
        pipeline,
        owner,
        workspace=copy,
        environment=folder,
    )
    python = f"{inside(sandbox, folder)}/bin/python"
    output = folder.with_suffix(".log")

    async def run(arguments: list[str], subject: str) -> Completed:
        done = await run_sandboxed(
            sandbox,
            [str(uv), *arguments],
            output=output,
            timeout=pipeline.build.timeout,
            subject=subject,
        )
        if done.code != 0:
            limit = f" (after {pipeline.build.timeout:g} s)" if done.timed_out else ""
            raise EnvironmentFailed(f"{subject}: {last_error(done.tail(4000))}{limit}", output)
        return done

    offline = [] if pipeline.build.network else ["--offline"]
    await run(
        ["venv", "--quiet", "--allow-existing", "--python", str(interpreter), *offline]
        + [inside(sandbox, folder)],
        "uv venv",
    )
    await run(
        ["pip", "install", "--quiet", "--compile-bytecode", "--python", python, *offline]
        + [*requirements, *_TOOLING],
        "uv pip install",
    )


def _requirements(copy: Path, pipeline: Pipeline, pyproject: dict[str, Any]) -> list[str]:
    build = pipeline.build
    found: list[str] = []
    files = build.requirements
    if files is None:
        files = tuple(sorted(path.name for path in copy.glob("requirements*.txt")))
    for name in files:
        found += ["-r", name]
    project = pyproject.get("project", {})
    available = [*project.get("optional-dependencies", {}), *_extras_of_setuptools(copy)]
    extras = build.extras
    if extras is None:
        extras = tuple(name for name in _TEST_NAMES if name in available)
    suffix = f"[{','.join(extras)}]" if extras else ""
    # A project without a build system is often not meant to be installed; its dependencies are.
    installable = "build-system" in pyproject or (copy / "setup.py").is_file()
    if installable:
        found += ["-e", f".{suffix}"]
    elif project:
        found += ["-r", "pyproject.toml", *(f"--extra={name}" for name in extras)]
    groups = build.groups
    if groups is None:
        groups = tuple(n for n in pyproject.get("dependency-groups", {}) if n in _TEST_NAMES)
    found += [f"--group={name}" for name in groups]
    return found


def _extras_of_setuptools(copy: Path) -> list[str]:
    settings = configparser.RawConfigParser()
    try:
        settings.read(copy / "setup.cfg", "utf-8")
        return settings.options("options.extras_require")
    except (configparser.Error, UnicodeDecodeError):
        return []


def _inputs(copy: Path, pipeline: Pipeline) -> dict[str, str]:
    return {
        name: hashlib.sha256((copy / name).read_bytes()).hexdigest()
        for name in dependency_files(copy, pipeline.build.requirements or ())
    }
