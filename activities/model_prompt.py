"""The runner's side of the model healer: from a failure to a prompt, from a reply to a patch.

The healer role, which holds the key, sees only the texts; it never has the repository.
"""

from pathlib import Path

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.artifact_store import get_bytes, put_bytes
from activities.environment import ensure_environment
from activities.git import git
from activities.healing.frame_suspects import suspects_by_frames
from activities.healing.model_context import SuspiciousLine, build_context
from activities.healing.model_prompt import INSTRUCTIONS, format_feedback
from activities.healing.search.candidate_server import ServerDied, candidate_server
from activities.healing.search.localisation import is_source_path, suspicion
from activities.healing.search.measurement import measure
from activities.healing.search.request import SearchRequest
from activities.healing.search_replace import MalformedReply, apply_blocks, parse_reply
from activities.heartbeat import heartbeating
from activities.test_stage import section_of
from activities.workspace import checked_out, patch_of
from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.base import Contract
from regreen.contracts.healing import Attempt
from regreen.contracts.run import StageRequest
from regreen.contracts.testing import TestReport

_CHARACTERS = 60_000
_SUSPECTS = 10


class PromptRequest(StageRequest):
    """A red stage, and what was tried."""

    report: TestReport
    failing: tuple[str, ...]
    earlier: tuple[Attempt, ...]


class Prompt(Contract):
    """What the model is told."""

    instructions: str
    prompt: ArtifactRef


class ReplyRequest(StageRequest):
    """A reply to be read as edits of the request's workspace."""

    text: str
    malformed: str = ""
    """Why the reply cannot be used whatever it says."""
    name: str
    """The patch's file name."""


class ReadReply(Contract):
    """The reply as a patch, or what the model must be told about its form."""

    patch: ArtifactRef | None = None
    explanation: str = ""
    malformed: str = ""
    feedback: str = ""


@activity.defn
async def write_model_prompt(request: PromptRequest) -> Prompt:
    """Collect what a model needs to see, without secrets, as an artifact."""
    earlier = {
        attempt.number: (await get_bytes(attempt.patch)).decode("utf-8", "replace")
        for attempt in request.earlier
        if attempt.patch is not None
    }
    async with checked_out(request.workspace) as copy:
        text = build_context(
            copy,
            request.report.failures,
            await _suspects(request, copy),
            await _last_change(copy),
            request.earlier,
            earlier,
            _CHARACTERS,
        )
    prompt = await put_bytes(
        f"{request.stage}-attempt-{len(request.earlier) + 1}.prompt.txt",
        text.encode("utf-8", "replace"),
        "text/plain",
    )
    return Prompt(instructions=INSTRUCTIONS, prompt=prompt)


@activity.defn
async def read_model_reply(request: ReplyRequest) -> ReadReply:
    """Read SEARCH/REPLACE blocks and apply them; a reply that cannot be read is a result."""
    try:
        if request.malformed:
            raise MalformedReply(request.malformed)
        reply = parse_reply(request.text)
        async with checked_out(request.workspace) as copy:
            changed = apply_blocks(reply.blocks, lambda path: _read(copy, path))
            for path, content in changed.items():
                (copy / path).parent.mkdir(parents=True, exist_ok=True)
                (copy / path).write_bytes(content)
            patch = await patch_of(copy)
    except MalformedReply as error:
        return ReadReply(malformed=str(error), feedback=format_feedback(str(error)))
    stored = await put_bytes(request.name, patch, "text/x-diff")
    return ReadReply(patch=stored, explanation=reply.explanation[:2000])


def _read(copy: Path, path: str) -> bytes | None:
    target = copy / path
    # The same file through a link would be written outside of the workspace, or twice.
    if target.resolve() != copy.resolve() / path:
        raise MalformedReply(f"{path} lies behind a symbolic link")
    if target.is_dir():
        raise MalformedReply(f"{path} is a folder")
    return target.read_bytes() if target.is_file() else None


async def _suspects(request: PromptRequest, copy: Path) -> list[SuspiciousLine]:
    """The most suspicious lines, by per-test coverage or else by where the failing tests were."""
    section = section_of(request)
    if not section.runs_pytest:
        return suspects_by_frames(request.report.failures, _SUSPECTS)
    environment = await ensure_environment(request.workspace, request.pipeline, copy)
    search = SearchRequest(
        workspace=copy,
        environment=environment,
        failing=request.failing,
        failures=request.report.failures,
        paths=section.paths,
        arguments=section.arguments,
        seconds=request.pipeline.heal.search_seconds,
    )
    try:
        async with candidate_server(copy, environment) as server:
            measured = await heartbeating(measure(server, search), f"coverage {request.stage}")
    except ServerDied:
        return suspects_by_frames(request.report.failures, _SUSPECTS)
    if isinstance(measured, str):
        return suspects_by_frames(request.report.failures, _SUSPECTS)
    scores = suspicion(measured.spectra, len(measured.failing), request.report.failures)
    lines = [
        (path, line, min(score, 1.0))
        for path, by_line in scores.items()
        if is_source_path(path)
        for line, score in by_line.items()
    ]
    return sorted(lines, key=lambda each: (-each[2], each[0], each[1]))[:_SUSPECTS]


async def _last_change(copy: Path) -> str:
    try:
        shown = await git(["diff", "--no-color", "--no-ext-diff", "HEAD~1", "HEAD"], cwd=copy)
    except ApplicationError:
        return ""
    return shown.decode("utf-8", "replace")
