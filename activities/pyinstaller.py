"""A repository's program in one file, made by PyInstaller in the sandbox."""

import shutil
from dataclasses import replace
from pathlib import Path

from temporalio import activity

from activities.artifact_store import put_file
from activities.interpreter import find_interpreter
from activities.package_places import commit_time, two_places
from activities.package_scan import PackageFindings, failed, failed_command
from activities.packaging import buildable, read_pyproject
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

_TOOL = "pyinstaller"


@activity.defn
@reusable(section="package", tools=("uv",), subject=of_history)
async def package_executable(request: StageRequest) -> Scan:
    """Make the program of `package.executable` in two fresh checkouts, and start it.

    PyInstaller is installed for it beside the repository and what it requires. A script that is
    not there, and a build that fails, are problems.
    """
    pipeline, section = request.pipeline, request.pipeline.package or PackageSection()
    wanted = section.executable
    if wanted is None:
        return Scan(gate="packages", tool=_TOOL, nothing_to_do="no executable configured")
    require_isolation(pipeline.sandbox == "required")
    if shutil.which("objdump") is None:
        return failed(_TOOL, "objdump not found, install binutils")
    async with two_places(request.workspace) as places:
        copy = places[0].copy
        if not is_result(copy / wanted.script):
            return failed(_TOOL, f"{wanted.script} not found at this commit")
        try:
            pyproject = read_pyproject(copy)
            requirements = _requirements(copy, pipeline, buildable(copy, pyproject))
            interpreter = await find_interpreter(pipeline, pyproject)
        except UsageError as error:
            return failed(_TOOL, str(error))
        if (uv := find("uv")) is None:
            return Scan(gate="packages", tool=_TOOL, missing_tool="uv")
        with private_folder() as folder:
            environment, results = folder / "environment", folder / "results"
            environment.mkdir()
            results.mkdir()
            sandbox = uv_sandbox(
                uv,
                interpreter,
                pipeline,
                request.workspace.source.repository,
                environment=environment,
                results=results,
                epoch=await commit_time(copy),
            )
            installing = places[0].seen_by(sandbox)
            done = await _install(
                installing, uv, interpreter, pipeline, [*requirements, wanted.pyinstaller], folder
            )
            if done.code != 0:
                return await failed_command(_TOOL, "install", done, section.timeout)
            # The program is made of what is installed: nothing is fetched any more.
            building = replace(
                sandbox, network=False, variables={**sandbox.variables, "PYTHONHASHSEED": "0"}
            )
            made = []
            for place in places:
                built = results / f"dist-{place.number}"
                work = results / f"work-{place.number}"
                done = await run_sandboxed(
                    place.seen_by(building),
                    place.command(
                        [f"{inside(sandbox, environment)}/bin/python", "-m", "PyInstaller"]
                        + ["--onefile", "--noconfirm", "--clean", "--log-level=WARN"]
                        + [f"--name={wanted.name}", f"--distpath={inside(sandbox, built)}"]
                        + [f"--workpath={inside(sandbox, work)}"]
                        + [f"--specpath={inside(sandbox, work)}"]
                        + [f"{place.shown}/{wanted.script}"]
                    ),
                    output=folder / "pyinstaller.log",
                    timeout=section.timeout,
                    subject=f"pyinstaller: {wanted.name}, {place.number} of 2",
                )
                if done.code != 0:
                    return await failed_command(_TOOL, "build", done, section.timeout)
                if not is_result(built / wanted.name):
                    return failed(_TOOL, f"the build made no file {wanted.name}")
                made.append(built / wanted.name)
            findings = PackageFindings(_TOOL)
            alike = findings.compare(section, {wanted.name: made[0]}, {wanted.name: made[1]})
            alone = folder / "alone"
            alone.mkdir()
            program = alone / wanted.name
            shutil.copy2(made[0], program)
            running = Sandbox(results=alone)
            logs = await findings.smoke(
                running,
                [inside(running, program), *wanted.smoke],
                what=" ".join([wanted.name, *wanted.smoke]),
                log=folder / "smoke.log",
            )
            stored = await put_file(made[0], "application/x-executable")
            figures = ["it starts"] * (not logs) + ["twice the same bytes"] * alike
            return await findings.scan((stored, *logs), figures)


def _requirements(copy: Path, pipeline: Pipeline, installable: bool) -> list[str]:
    files = pipeline.build.requirements
    if files is None:
        files = tuple(sorted(path.name for path in copy.glob("requirements.txt")))
    listed = [word for name in files for word in ("-r", name)]
    return [*listed, "."] if installable else listed


async def _install(
    sandbox: Sandbox,
    uv: Path,
    interpreter: Path,
    pipeline: Pipeline,
    wanted: list[str],
    folder: Path,
) -> Completed:
    assert sandbox.environment is not None, "the caller shows one"
    shown = inside(sandbox, sandbox.environment)
    offline = [] if pipeline.build.network else ["--offline"]
    *requirements, version = wanted
    for arguments in (
        ["venv", "--quiet", "--allow-existing", "--python", str(interpreter), *offline, shown],
        ["pip", "install", "--no-progress", "--python", f"{shown}/bin/python", *offline]
        + [*requirements, f"pyinstaller=={version}"],
    ):
        done = await run_sandboxed(
            sandbox,
            [str(uv), *arguments],
            output=folder / "install.log",
            timeout=(pipeline.package or PackageSection()).timeout,
            subject=f"uv {arguments[0]}: PyInstaller {version}",
        )
        if done.code != 0:
            break
    return done
