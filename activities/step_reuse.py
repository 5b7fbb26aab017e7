"""Results of steps that are used again when nothing that they depend on has changed.

A record is one small object in the artifact store, named after everything that the result depends
on. Runs that end together write the same record; one whose artifacts are gone is not used.
"""

import functools
import hashlib
import inspect
import json
import platform
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import obstore
from obstore.exceptions import BaseError
from pydantic import ValidationError
from temporalio import activity

from activities.artifact_store import is_stored, open_store
from activities.heartbeat import heartbeating
from activities.sandbox import isolation
from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.base import Contract
from regreen.contracts.gates import Scan
from regreen.contracts.release import BillOfMaterialsRequest
from regreen.contracts.run import StageRequest, StageVerdict
from regreen.contracts.source import Workspace
from regreen.pipeline_file import Pipeline
from regreen.settings import load_settings
from regreen.tools.catalogue import describe
from regreen.tools.locate import find

# Every step depends on them: which interpreter, which environment, which isolation.
_SECTIONS = ("python", "sandbox", "build")


class _Record(Contract):
    """A result and where it comes from."""

    origin: str
    """The run in one line."""
    result: str
    """The result as JSON."""


StepRequest = StageRequest | BillOfMaterialsRequest
Request = TypeVar("Request", bound=StepRequest)
Result = TypeVar("Result", StageVerdict, Scan)


def of_tree(workspace: Workspace) -> str:
    """What a step depends on that looks at files only: another commit with them is as good."""
    return "\n".join([workspace.source.tree, *(patch.sha256 for patch in workspace.patches)])


def of_history(workspace: Workspace) -> str:
    """What a step depends on that looks at commits, their times or tags, too."""
    source = workspace.source
    return "\n".join([source.commit, source.bundle.sha256, of_tree(workspace)])


def reusable(
    *,
    section: str,
    tools: tuple[str, ...],
    other_sections: tuple[str, ...] = (),
    subject: Callable[[Workspace], str] = of_tree,
) -> Callable[
    [Callable[[Request], Coroutine[Any, Any, Result]]],
    Callable[[Request], Coroutine[Any, Any, Result]],
]:
    """Let a step's activity come back with an earlier result; goes below `activity.defn`.

    A result depends on the repository, on `subject` of the workspace, on the pipeline file's
    `section` and `other_sections`, on `tools` by the bytes of their programs, on the rest of the
    request, and on Regreen's own code and rules.

    Kept is what succeeded: a verdict that passed, a scan that counts. Findings are weighed each
    time anew; packages with findings are made again.
    """

    def decorate(
        step: Callable[[Request], Coroutine[Any, Any, Result]],
    ) -> Callable[[Request], Coroutine[Any, Any, Result]]:
        kind: type[Result] = get_type_hints(step)["return"]

        @functools.wraps(step)
        async def wrapped(request: Request) -> Result:
            if not request.reuse:
                return await step(request)
            sections = {section, *other_sections, *_SECTIONS}
            key = _key(step.__name__, request, sections, tools, subject(request.workspace))
            found = await heartbeating(_recalled(key, kind), f"{step.__name__}: earlier result")
            if found is not None:
                return found
            result = await step(request)
            if _is_kept(result):
                await heartbeating(
                    _remember(key, request.workspace, result), f"{step.__name__}: keep result"
                )
            return result

        return wrapped

    return decorate


def _key(
    name: str, request: StepRequest, sections: set[str], tools: tuple[str, ...], subject: str
) -> str:
    pipeline = request.pipeline.model_dump(mode="json", include=sections)
    rest = request.model_dump(mode="json", exclude={"workspace", "pipeline", "reuse"})
    parts = {
        "repository": request.workspace.source.repository,
        "subject": subject,
        "pipeline": pipeline,
        "rest": rest,
        "tools": {tool: _tool_identity(tool) for tool in tools},
        "isolation": isolation().kind,
        "machine": [platform.python_version(), platform.system(), platform.machine()],
        "regreen": _own_digest(),
    }
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    return f"steps/{name}/{digest}.json"


async def _recalled(key: str, kind: type[Result]) -> Result | None:
    store = open_store(load_settings().artifacts_url)
    try:
        content = await (await obstore.get_async(store, key)).bytes_async()
        record = _Record.model_validate_json(bytes(content))
        result = kind.model_validate_json(record.result)
    except (FileNotFoundError, ValidationError):
        return None
    for ref in _artifacts(result):
        if not await is_stored(ref):
            return None
    return result.model_copy(update={"reused": record.origin})


async def _remember(key: str, workspace: Workspace, result: Result) -> None:
    moment = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    origin = f"the run of {workspace.source.commit[:12]}, {moment}"
    record = _Record(origin=origin, result=result.model_dump_json())
    store = open_store(load_settings().artifacts_url)
    try:
        await obstore.put_async(store, key, record.model_dump_json().encode())
    except (BaseError, OSError) as error:
        # The result itself is good; only the next run has to make it again.
        activity.logger.warning("result not kept for reuse: %s", error)


def _is_kept(result: StageVerdict | Scan) -> bool:
    if isinstance(result, StageVerdict):
        return result.state == "passed"
    if result.problem or result.missing_tool or result.examined == 0 or not result.repeatable:
        return False
    # A failed smoke run or a build that differs may be the machine's doing.
    return result.gate != "packages" or result.found == 0


def _artifacts(result: StageVerdict | Scan) -> tuple[ArtifactRef, ...]:
    if isinstance(result, Scan) and result.all_findings is not None:
        return (*result.artifacts, result.all_findings)
    return result.artifacts


def _tool_identity(name: str) -> str:
    path = find(name)
    if path is None:
        return "missing"
    if describe(name).kind == "python":
        return version(name)
    status = path.stat()
    return _digest(path, status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=64)
def _digest(path: Path, size: int, changed: int) -> str:
    """SHA-256 of a program; one that says it has another size or time is read again."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@functools.cache
def _own_digest() -> str:
    hasher = hashlib.sha256()
    for folder in (Path(__file__).parent, Path(inspect.getfile(Pipeline)).parent):
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.suffix != ".pyc":
                hasher.update(path.read_bytes())
    return hasher.hexdigest()
