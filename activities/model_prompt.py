"""The runner's side of the model healer: from a failure to a prompt, from a reply to a patch.

The healer role, which holds the key, sees only the texts; it never has the repository.
"""

import asyncio
import errno
from pathlib import Path

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.artifact_store import get_bytes, put_bytes
from activities.environment import ensure_environment
from activities.git import git
from activities.healing.frame_suspects import suspects_by_frames
from activities.healing.model_context import VIEWS, SuspiciousLine, Tried, build_context
from activities.healing.model_prompt import INSTRUCTIONS, format_feedback
from activities.healing.search.candidate_server import ServerDied, candidate_server
from activities.healing.search.localisation import is_source_path, suspicion
from activities.healing.search.measurement import measure
from activities.healing.search.request import SearchRequest
from activities.healing.search_replace import MalformedReply, apply_blocks, parse_reply
from activities.healing.token_estimate import estimate_tokens
from activities.heartbeat import heartbeating
from activities.test_stage import section_of
from activities.workspace import checked_out, patch_of
from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.base import Contract
from regreen.contracts.healing import Attempt, FailedPatch
from regreen.contracts.run import StageRequest
from regreen.contracts.testing import TestReport
from regreen.printable import one_line_of, printable

_SUSPECTS = 10
_OF_THE_PATH = {errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR}
_LONGEST_CHANGE = 200_000
_LONGEST_REASON = 300
_LONGEST_EXPLANATION = 2_000


class PromptRequest(StageRequest):
    """A red stage, and what was tried."""

    report: TestReport
    failing: tuple[str, ...]
    earlier: tuple[Attempt, ...]
    failed: tuple[FailedPatch, ...] = ()
    """Patches that came to nothing, of this run and of earlier ones, the oldest first."""


class Prompt(Contract):
    """What the model is told in one request."""

    prompt: ArtifactRef
    tokens: int
    """An estimate, with the instructions."""


class Prompts(Contract):
    """A prompt for each candidate that may be asked for."""

    instructions: str
    prompts: tuple[Prompt, ...]


class ReplyRequest(StageRequest):
    """A reply to be read as edits of the request's workspace."""

    reply: ArtifactRef
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
async def write_model_prompt(request: PromptRequest) -> Prompts:
    """Collect what a model needs to see, without secrets: an artifact for each candidate.

    The prompts of one round, and of the rounds after it, differ in the facts that they show.
    """
    model = request.pipeline.heal.model
    number = len(request.earlier) + 1
    room = model.context_tokens - estimate_tokens(INSTRUCTIONS)
    tried = await _tried(request)
    prompts: list[Prompt] = []
    async with checked_out(request.workspace) as copy:
        suspects = await _suspects(request, copy)
        change = await _last_change(copy)
        for candidate in range(model.candidates):
            writing = asyncio.to_thread(
                build_context,
                copy,
                request.report.failures,
                suspects,
                change,
                tried,
                room,
                VIEWS[(number - 1 + candidate) % len(VIEWS)],
            )
            text = await heartbeating(writing, f"prompt {request.stage}")
            which = f"-candidate-{candidate + 1}" if model.candidates > 1 else ""
            name = f"{request.stage}-attempt-{number}{which}.prompt.txt"
            stored = await put_bytes(name, text.encode("utf-8", "replace"), "text/plain")
            tokens = estimate_tokens(INSTRUCTIONS) + estimate_tokens(text)
            prompts.append(Prompt(prompt=stored, tokens=tokens))
    return Prompts(instructions=INSTRUCTIONS, prompts=tuple(prompts))


async def _tried(request: PromptRequest) -> list[Tried]:
    """What came to nothing, the newest first and each patch once."""
    told: list[Tried] = []
    shown: set[str] = set()
    for attempt in reversed(request.earlier):
        patch = ""
        if attempt.patch is not None:
            shown.add(attempt.patch.sha256)
            patch = await _patch_text(attempt.patch)
        what = f"Attempt {attempt.number} ({attempt.healer}): {attempt.verdict}. {attempt.reason}"
        told.append(Tried(what, patch))
    for failed in reversed(request.failed):
        if failed.patch.sha256 not in shown:
            shown.add(failed.patch.sha256)
            origin = failed.origin[:1].upper() + failed.origin[1:]
            what = f"{origin} ({failed.healer}): {failed.verdict}. {failed.reason}"
            told.append(Tried(what, await _patch_text(failed.patch)))
    return told


async def _patch_text(patch: ArtifactRef) -> str:
    try:
        return (await get_bytes(patch)).decode("utf-8", "replace")
    except ApplicationError:
        # An earlier run's, which somebody has cleared away since.
        return ""


@activity.defn
async def read_model_reply(request: ReplyRequest) -> ReadReply:
    """Read SEARCH/REPLACE blocks and apply them; a reply that cannot be read is a result."""
    text = (await get_bytes(request.reply)).decode("utf-8", "replace")
    try:
        if request.malformed:
            raise MalformedReply(request.malformed)
        reply = parse_reply(text)
        async with checked_out(request.workspace) as copy:
            applying = asyncio.to_thread(apply_blocks, reply.blocks, lambda path: _read(copy, path))
            changed = await heartbeating(applying, f"edits {request.stage}")
            for path, content in changed.items():
                _write(copy, path, content)
            patch = await patch_of(copy)
        if not patch:
            raise MalformedReply("the blocks change nothing that git keeps")
    except MalformedReply as error:
        reason = one_line_of(str(error))[:_LONGEST_REASON]
        return ReadReply(malformed=reason, feedback=format_feedback(reason))
    stored = await put_bytes(request.name, patch, "text/x-diff")
    explanation = printable(reply.explanation)[:_LONGEST_EXPLANATION]
    return ReadReply(patch=stored, explanation=explanation)


def _read(copy: Path, path: str) -> bytes | None:
    target = copy / path
    try:
        # The same file through a link would be written outside of the workspace, or twice.
        if target.resolve() != copy.resolve() / path:
            raise MalformedReply(f"{path[:80]} lies behind a symbolic link")
        if target.is_dir():
            raise MalformedReply(f"{path[:80]} is a folder")
        return target.read_bytes() if target.is_file() else None
    except RuntimeError as error:
        raise MalformedReply(f"{path[:80]} is a symbolic link to itself") from error
    except OSError as error:
        if error.errno not in _OF_THE_PATH:
            raise
        raise MalformedReply(f"{path[:80]} cannot be a file: {error.strerror}") from error


def _write(copy: Path, path: str, content: bytes) -> None:
    try:
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        (copy / path).write_bytes(content)
    except (FileExistsError, NotADirectoryError) as error:
        raise MalformedReply(f"{path[:80]} lies below a file") from error


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
    scores = suspicion(
        measured.spectra, len(measured.failing), len(measured.others), request.report.failures
    )
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
    return shown[:_LONGEST_CHANGE].decode("utf-8", "replace")
