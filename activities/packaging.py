"""The package stage: source distribution, and the wheel made from it, in the sandbox."""

import tomllib
import zipfile
from dataclasses import replace
from pathlib import Path

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    parse_sdist_filename,
    parse_wheel_filename,
)
from temporalio import activity

from activities.artifact_store import put_file
from activities.interpreter import find_interpreter
from activities.package_places import Place, commit_time, two_places
from activities.package_scan import PackageFindings, failed, failed_command
from activities.process import Completed
from activities.result_file import is_result
from activities.sandbox import Sandbox, inside, require_isolation, run_sandboxed
from activities.step_reuse import of_history, reusable
from activities.uv import uv_sandbox
from activities.workspace import private_folder
from regreen.contracts.gates import Scan
from regreen.contracts.run import StageRequest
from regreen.errors import UsageError
from regreen.pipeline_file import PackageSection, Pipeline
from regreen.tools.locate import find

_PYPROJECT_BYTES = 1 << 20
_TOOL = "uv"
_NOT_IMPORTED = frozenset({"test", "tests"})
_IMPORT = "import importlib, sys; [importlib.import_module(name) for name in sys.argv[1:]]"


@activity.defn
@reusable(section="package", tools=("uv",), subject=of_history)
async def package_distribution(request: StageRequest) -> Scan:
    """Build sdist and wheel in two fresh checkouts, compare them, and try the wheel.

    Timestamps in both come from the commit, so that a build back end that honours
    SOURCE_DATE_EPOCH gives the same bytes again. A repository without a build system has nothing
    to do; a build that fails is a problem with its last error and its log.
    """
    pipeline = request.pipeline
    require_isolation(pipeline.sandbox == "required")
    async with two_places(request.workspace) as places:
        copy = places[0].copy
        try:
            pyproject = read_pyproject(copy)
            if not buildable(copy, pyproject):
                why = "package: no pyproject.toml to build from"
                return Scan(gate="packages", tool=_TOOL, nothing_to_do=why)
            interpreter = await find_interpreter(pipeline, pyproject)
        except UsageError as error:
            return failed(_TOOL, str(error))
        if (uv := find("uv")) is None:
            return Scan(gate="packages", tool=_TOOL, missing_tool="uv")
        epoch = await commit_time(copy)
        with private_folder() as folder:
            # The logs lie where the build cannot put something else in their place.
            results = folder / "results"
            results.mkdir()
            sandbox = uv_sandbox(
                uv,
                interpreter,
                pipeline,
                request.workspace.source.repository,
                results=results,
                epoch=epoch,
            )
            return await _build_and_try(request, sandbox, uv, interpreter, places, folder)


async def _build_and_try(
    request: StageRequest,
    sandbox: Sandbox,
    uv: Path,
    interpreter: Path,
    places: tuple[Place, Place],
    folder: Path,
) -> Scan:
    pipeline, timeout = request.pipeline, _timeout(request.pipeline)
    results = folder / "results"
    builds = []
    for place in places:
        built = results / f"dist-{place.number}"
        done = await run_sandboxed(
            place.seen_by(sandbox),
            [str(uv), "build", "--no-progress", "--python", str(interpreter)]
            + [*_offline(pipeline), "--out-dir", inside(sandbox, built), place.shown],
            output=folder / "build.log",
            timeout=timeout,
            subject=f"uv build: sdist and wheel, {place.number} of 2",
        )
        if done.code != 0:
            return await failed_command(_TOOL, "build", done, timeout)
        try:
            builds.append(_distributions(built))
        except UsageError as error:
            return failed(_TOOL, str(error))
    findings = PackageFindings(_TOOL)
    section = pipeline.package or PackageSection()
    first, second = ({path.name: path for path in build} for build in builds)
    alike = findings.compare(section, first, second)
    sdist, wheel = builds[0]
    clean = folder / "clean"
    clean.mkdir()
    done = await _clean_install(sandbox, uv, interpreter, pipeline, wheel, clean, folder)
    if done.code != 0:
        return await failed_command(_TOOL, "install of the wheel", done, timeout)
    tried, command = "wheel runs", list(section.smoke)
    if not command:
        names = _modules(wheel)
        tried = f"wheel imports {', '.join(names[:3])}" if names else "wheel installs"
        command = ["python", "-c", _IMPORT, *names]
    logs = await findings.smoke(
        Sandbox(environment=clean), command, what=wheel.name, log=folder / "smoke.log"
    )
    files = (
        await put_file(wheel, "application/vnd.pypi.wheel+zip"),
        await put_file(sdist, "application/gzip"),
    )
    figures = [tried] * (not logs) + ["twice the same bytes"] * alike
    return await findings.scan((*files, *logs), figures)


async def _clean_install(
    sandbox: Sandbox,
    uv: Path,
    interpreter: Path,
    pipeline: Pipeline,
    wheel: Path,
    clean: Path,
    logs: Path,
) -> Completed:
    """Install a wheel and what it needs into a virtual environment of its own."""
    shown = replace(sandbox, environment=clean, environment_writable=True)
    python = f"{inside(shown, clean)}/bin/python"
    for arguments in (
        ["venv", "--quiet", "--allow-existing", "--python", str(interpreter)]
        + [*_offline(pipeline), inside(shown, clean)],
        ["pip", "install", "--no-progress", "--python", python, *_offline(pipeline)]
        + [inside(shown, wheel)],
    ):
        done = await run_sandboxed(
            shown,
            [str(uv), *arguments],
            output=logs / "install.log",
            timeout=_timeout(pipeline),
            subject=f"uv {arguments[0]}: {wheel.name}",
        )
        if done.code != 0:
            break
    return done


def _modules(wheel: Path) -> list[str]:
    """The names that the wheel gives to import, but for tests."""
    found = set()
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            top, _, rest = name.partition("/")
            if rest == "__init__.py":
                found.add(top)
            elif not rest and Path(name).suffix in (".py", ".so", ".pyd"):
                found.add(name.partition(".")[0])
    return sorted(name for name in found if name.isidentifier() and name not in _NOT_IMPORTED)


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


def read_pyproject(copy: Path) -> str | None:
    """The text of the checkout's pyproject.toml; None without one. Raises UsageError."""
    path = copy / "pyproject.toml"
    if not path.exists() and not path.is_symlink():
        return None
    if not is_result(path) or path.stat().st_size > _PYPROJECT_BYTES:
        raise UsageError("pyproject.toml is not a regular file of at most 1 MiB")
    return path.read_text("utf-8", "replace")


def buildable(copy: Path, pyproject: str | None) -> bool:
    """Whether the checkout has a build system. Raises UsageError."""
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
    for path in wheels:
        if not zipfile.is_zipfile(path):
            raise UsageError(f"{path.name} is not a zip file")
    if len(sdists) != 1 or len(wheels) != 1:
        raise UsageError(
            f"the build made {len(sdists)} sdists and {len(wheels)} wheels, expected one of each"
        )
    return sdists[0], wheels[0]


def _timeout(pipeline: Pipeline) -> float:
    return (pipeline.package or PackageSection()).timeout


def _offline(pipeline: Pipeline) -> list[str]:
    return [] if pipeline.build.network else ["--offline"]
