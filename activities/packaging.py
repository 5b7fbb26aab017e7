"""The package stage: source distribution, and the wheel made from it, in the sandbox."""

import tomllib
from pathlib import Path

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    parse_sdist_filename,
    parse_wheel_filename,
)
from temporalio import activity

from activities.artifact_store import put_file
from activities.git import git
from activities.interpreter import find_interpreter
from activities.process import Completed
from activities.result_file import is_result
from activities.sandbox import Sandbox, inside, require_isolation, run_sandboxed
from activities.uv import last_error, uv_sandbox
from activities.workspace import checked_out, private_folder
from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.run import StageRequest, StageVerdict
from regreen.errors import UsageError
from regreen.pipeline_file import PackageSection, Pipeline
from regreen.tools.locate import find

_UV_MISSING = "skipped: uv not found, `regreen tools install`"
_PYPROJECT_BYTES = 1 << 20


@activity.defn
async def package_distribution(request: StageRequest) -> StageVerdict:
    """Build sdist and wheel of the workspace, and install the wheel once to see that it can be.

    Timestamps in both come from the commit, so that a build back end that honours
    SOURCE_DATE_EPOCH gives the same bytes again. A repository without a build system is skipped;
    a build that fails is a failed verdict with its last error and its log.
    """
    pipeline = request.pipeline
    require_isolation(pipeline.sandbox == "required")
    async with checked_out(request.workspace) as copy:
        try:
            pyproject = _pyproject(copy)
            if not _buildable(copy, pyproject):
                return StageVerdict(
                    state="skipped", summary="package: no pyproject.toml to build from"
                )
            interpreter = await find_interpreter(pipeline, pyproject)
        except UsageError as error:
            return StageVerdict(state="failed", summary=f"package: {error}")
        if (uv := find("uv")) is None:
            return StageVerdict(state="skipped", summary=_UV_MISSING, missing_tool="uv")
        epoch = (await git(["show", "-s", "--format=%ct", "HEAD"], cwd=copy)).decode().strip()
        with private_folder() as folder:
            # The logs lie where the build cannot put something else in their place.
            results = folder / "results"
            results.mkdir()
            sandbox = uv_sandbox(
                uv,
                interpreter,
                pipeline,
                request.workspace.source.repository,
                workspace=copy,
                results=results,
                epoch=epoch,
            )
            built = results / "dist"
            done = await run_sandboxed(
                sandbox,
                [str(uv), "build", "--no-progress", "--python", str(interpreter)]
                + [*_offline(pipeline), "--out-dir", inside(sandbox, built), "."],
                output=folder / "build.log",
                timeout=_timeout(pipeline),
                subject="uv build: sdist and wheel",
            )
            if done.code != 0:
                return await _failed("build", done, _timeout(pipeline))
            try:
                sdist, wheel = _distributions(built)
            except UsageError as error:
                return StageVerdict(state="failed", summary=f"package: {error}")
            done = await install_wheel(
                sandbox, uv, interpreter, pipeline, wheel, results / "installed", folder
            )
            if done.code != 0:
                return await _failed("install of the wheel", done, _timeout(pipeline))
            files = (
                await put_file(wheel, "application/vnd.pypi.wheel+zip"),
                await put_file(sdist, "application/gzip"),
            )
    return StageVerdict(
        state="passed",
        summary=f"package: {files[0].name} ({_kilobytes(files[0])}), "
        f"{files[1].name} ({_kilobytes(files[1])}), wheel installs",
        artifacts=files,
    )


async def install_wheel(
    sandbox: Sandbox,
    uv: Path,
    interpreter: Path,
    pipeline: Pipeline,
    wheel: Path,
    target: Path,
    logs: Path,
) -> Completed:
    """Install a wheel and what it needs into the folder `target`; both lie in the results.

    What the installer adds of its own is left out, so that the same wheel gives the same tree.
    """
    return await run_sandboxed(
        sandbox,
        [str(uv), "pip", "install", "--no-progress", "--no-installer-metadata"]
        + ["--python", str(interpreter), *_offline(pipeline)]
        + ["--target", inside(sandbox, target), inside(sandbox, wheel)],
        output=logs / "install.log",
        timeout=_timeout(pipeline),
        subject=f"uv pip install: {wheel.name}",
    )


def _pyproject(copy: Path) -> str | None:
    path = copy / "pyproject.toml"
    if not path.exists() and not path.is_symlink():
        return None
    if not is_result(path) or path.stat().st_size > _PYPROJECT_BYTES:
        raise UsageError("pyproject.toml is not a regular file of at most 1 MiB")
    return path.read_text("utf-8", "replace")


def _buildable(copy: Path, pyproject: str | None) -> bool:
    if is_result(copy / "setup.py"):
        return True
    try:
        return pyproject is not None and "build-system" in tomllib.loads(pyproject)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(f"pyproject.toml: not valid TOML: {error}") from error


def _distributions(folder: Path) -> tuple[Path, Path]:
    sdists, wheels = [], []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if not is_result(path) or path.name == ".gitignore":
            continue
        try:
            if path.suffix == ".whl":
                parse_wheel_filename(path.name)
                wheels.append(path)
            elif path.name.endswith(".tar.gz"):
                parse_sdist_filename(path.name)
                sdists.append(path)
        except (InvalidSdistFilename, InvalidWheelFilename) as error:
            raise UsageError(
                f"the build back end made a file with a wrong name: {error}"
            ) from error
    if len(sdists) != 1 or len(wheels) != 1:
        raise UsageError(
            f"the build made {len(sdists)} sdists and {len(wheels)} wheels, expected one of each"
        )
    return sdists[0], wheels[0]


async def _failed(what: str, done: Completed, timeout: float) -> StageVerdict:
    reason = f"not done after {timeout:g} s" if done.timed_out else last_error(done.tail(8000))
    log = await put_file(done.output, "text/plain")
    return StageVerdict(
        state="failed", summary=f"package: {what} failed: {reason}", artifacts=(log,)
    )


def _timeout(pipeline: Pipeline) -> float:
    return (pipeline.package or PackageSection()).timeout


def _offline(pipeline: Pipeline) -> list[str]:
    return [] if pipeline.build.network else ["--offline"]


def _kilobytes(ref: ArtifactRef) -> str:
    return f"{max(1, round(ref.bytes / 1000))} kB"
