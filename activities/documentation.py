"""The check of the documentation: a command of the repository, in the sandbox."""

from temporalio import activity

from activities.environment import EnvironmentFailed, environment_of
from activities.log_artifact import put_log
from activities.sandbox import Sandbox, require_isolation, run_sandboxed
from activities.workspace import checked_out, private_folder
from regreen.contracts.run import StageRequest, StageVerdict
from regreen.printable import one_line_of


@activity.defn
async def check_documentation(request: StageRequest) -> StageVerdict:
    """Run `release.checklist.documentation` at the root of a checkout; it has to end with 0.

    There is no network. Its output is the verdict's artifact, `build.timeout` is its time.
    """
    pipeline = request.pipeline
    command = pipeline.release.checklist.documentation if pipeline.release else ()
    if not command:
        return StageVerdict(state="skipped", summary="no command checks the documentation")
    require_isolation(pipeline.sandbox == "required")
    async with checked_out(request.workspace) as copy:
        try:
            environment = await environment_of(request.workspace, pipeline, copy)
        except EnvironmentFailed as error:
            return StageVerdict(state="failed", summary=f"environment of the command: {error}")
        with private_folder() as folder:
            done = await run_sandboxed(
                Sandbox(workspace=copy, environment=environment),
                command,
                output=folder / "documentation.log",
                timeout=pipeline.build.timeout,
                subject=f"documentation: {command[0]}",
            )
            log = await put_log(done.output)
            lines = done.tail().strip().splitlines()
    said = f": {one_line_of(lines[-1])[:200]}" if lines else ""
    if done.timed_out:
        summary = f"`{command[0]}` did not end within {pipeline.build.timeout:g} s"
        return StageVerdict(state="failed", summary=summary, artifacts=(log,))
    if done.code != 0:
        summary = f"`{command[0]}` ended with {done.code}{said}"
        return StageVerdict(state="failed", summary=summary, artifacts=(log,))
    return StageVerdict(state="passed", summary=f"`{command[0]}` ended with 0", artifacts=(log,))
