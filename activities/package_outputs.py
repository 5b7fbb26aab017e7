"""Packages that a command of the repository makes."""

from collections.abc import Sequence
from pathlib import Path

from temporalio import activity

from activities.artifact_store import put_file
from activities.environment import EnvironmentFailed, environment_of
from activities.package_places import Place, commit_time, two_places
from activities.package_scan import PackageFindings, failed, failed_command
from activities.process import Completed
from activities.result_file import is_result
from activities.sandbox import Sandbox, require_isolation, run_sandboxed
from activities.workspace import private_folder
from regreen.contracts.base import Contract
from regreen.contracts.gates import Scan
from regreen.contracts.run import StageRequest
from regreen.errors import UsageError
from regreen.pipeline_file import PackageCommandSection, PackageSection

_TOOL = "command"
_MOST_FILES = 100
_MOST_BYTES = 2 << 30


class PackageCommandRequest(Contract):
    """Which of `package.commands` to run."""

    stage: StageRequest
    number: int
    """Counted from 0."""


@activity.defn
async def package_by_command(request: PackageCommandRequest) -> Scan:
    """Run the command in two fresh checkouts and keep what it makes in the first.

    A command that fails, and a pattern of `outputs` that nothing matches, are problems.
    """
    stage = request.stage
    pipeline, section = stage.pipeline, stage.pipeline.package or PackageSection()
    wanted = section.commands[request.number]
    require_isolation(pipeline.sandbox == "required")
    async with two_places(stage.workspace) as places:
        try:
            environment = await environment_of(stage.workspace, pipeline, places[0].copy)
        except EnvironmentFailed as error:
            return failed(_TOOL, f"environment of the command: {error}")
        sandbox = Sandbox(
            environment=environment,
            network=pipeline.build.network,
            variables={
                "PYTHONHASHSEED": "0",
                "SOURCE_DATE_EPOCH": await commit_time(places[0].copy),
            },
        )
        with private_folder() as folder:
            builds = []
            for place in places:
                done = await _run(sandbox, wanted, place, folder, section.timeout)
                if done.code != 0:
                    what = f"`{wanted.command[0]}`"
                    return await failed_command(_TOOL, what, done, section.timeout)
                try:
                    builds.append(_outputs(place.copy, wanted.outputs))
                except UsageError as error:
                    return failed(_TOOL, str(error))
            findings = PackageFindings(_TOOL)
            alike = findings.compare(section, *builds)
            packages = [await put_file(path) for path in builds[0].values()]
            tried: list[str] = []
            if wanted.smoke:
                alone = folder / "alone"
                alone.mkdir()
                for name, path in builds[0].items():
                    path.rename(alone / name)
                logs = await findings.smoke(
                    Sandbox(workspace=alone),
                    wanted.smoke,
                    what=f"`{wanted.smoke[0]}`",
                    log=folder / "smoke.log",
                )
                packages += logs
                tried = [] if logs else ["smoke run well"]
            return await findings.scan(packages, [*tried, *["twice the same bytes"] * alike])


async def _run(
    sandbox: Sandbox, wanted: PackageCommandSection, place: Place, folder: Path, timeout: float
) -> Completed:
    return await run_sandboxed(
        place.seen_by(sandbox),
        place.command(wanted.command),
        output=folder / "package-command.log",
        timeout=timeout,
        subject=f"package: {wanted.command[0]}, {place.number} of 2",
    )


def _outputs(copy: Path, patterns: Sequence[str]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    total, root = 0, copy.resolve()
    for pattern in patterns:
        try:
            matching = [path for path in sorted(copy.glob(pattern)) if is_result(path)]
        except (ValueError, IndexError) as error:
            raise UsageError(f"outputs: `{pattern}` is not a pattern of files") from error
        matching = [path for path in matching if path.resolve().is_relative_to(root)]
        if not matching:
            raise UsageError(f"outputs: `{pattern}` matches no file after the command")
        for path in matching:
            if found.setdefault(path.name, path) != path:
                raise UsageError(f"outputs: two files have the name {path.name}")
            total += path.stat().st_size
        if len(found) > _MOST_FILES or total > _MOST_BYTES:
            raise UsageError(f"outputs: more than {_MOST_FILES} files or 2 GiB")
    return found
