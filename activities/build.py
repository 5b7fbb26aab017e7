"""The build stage: the environment, and every source file compiled."""

import os
from pathlib import Path

from temporalio import activity

from activities.environment import EnvironmentFailed, environment_of
from activities.git import git
from activities.log_artifact import put_log
from activities.sandbox import Sandbox, inside, require_isolation, run_sandboxed
from activities.step_reuse import reusable
from activities.workspace import checked_out, private_folder
from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.run import StageRequest, StageVerdict

# Files below these folders are often broken on purpose.
_NOT_COMPILED = frozenset({"tests", "test", "testdata", "fixtures", "data", "templates", "docs"})

_COMPILE = """
import os, sys, tokenize
for name in open(listing, "rb").read().split(b"\\0"):
    if path := os.fsdecode(name):
        try:
            with tokenize.open(path) as file:
                compile(file.read(), path, "exec", dont_inherit=True)
        except (SyntaxError, UnicodeDecodeError, ValueError) as error:
            print(ascii(path)[1:-1] + f":{getattr(error, 'lineno', 0) or 0}: {error}")
            sys.exit(1)
"""


@activity.defn
@reusable(section="build", tools=("uv",))
async def build_environment(request: StageRequest) -> StageVerdict:
    """Make the environment and compile the sources.

    A repository without a Python package, whose stages run commands only, has nothing to build.
    """
    pipeline = request.pipeline
    require_isolation(pipeline.sandbox == "required")
    async with checked_out(request.workspace) as copy:
        try:
            environment = await environment_of(request.workspace, pipeline, copy)
        except EnvironmentFailed as error:
            logs = await _store(error.output)
            return StageVerdict(state="failed", summary=str(error), artifacts=logs)
        if environment is None:
            return StageVerdict(state="passed", summary="no Python package: nothing to build")
        tracked = (await git(["ls-files", "-z", "--", "*.py"], cwd=copy)).split(b"\0")
        # Names of files are bytes; not all of them are UTF-8.
        paths = [os.fsdecode(path) for path in tracked if path]
        sources = [path for path in paths if not _skipped(path)]
        with private_folder() as folder:
            (folder / "sources").write_bytes(os.fsencode("\0".join(sources)))
            sandbox = Sandbox(workspace=copy, environment=environment, results=folder)
            python = f"{inside(sandbox, environment)}/bin/python"
            listing = inside(sandbox, folder / "sources")
            script = f"listing = {listing!r}\n{_COMPILE}"
            done = await run_sandboxed(
                sandbox,
                [python, "-I", "-c", script],
                output=folder / "compile.log",
                timeout=pipeline.build.timeout,
                subject=f"compile: {len(sources)} files",
            )
            if done.code != 0:
                lines = done.tail().strip().splitlines() or [f"exit code {done.code}"]
                return StageVerdict(
                    state="failed",
                    summary=f"compile: {lines[-1][:300]}",
                    artifacts=await _store(done.output),
                )
    return StageVerdict(state="passed", summary=f"environment ready, {len(sources)} files compiled")


def _skipped(path: str) -> bool:
    return not _NOT_COMPILED.isdisjoint(Path(path).parts[:-1])


async def _store(log: Path | None) -> tuple[ArtifactRef, ...]:
    return (await put_log(log),) if log and log.is_file() else ()
