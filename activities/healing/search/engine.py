"""The search healer: find an edit with which a red stage passes. No key, no network.

The order of the candidates depends on the request alone, and the answer on that order: what
finishes early waits for what stands before it. Only the wall-clock limit can change the answer.
"""

import asyncio
import contextlib
import hashlib
import itertools
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from activities.git import git
from activities.healing.search.candidate import Candidate
from activities.healing.search.candidate_server import (
    CandidateServer,
    ServerDied,
    candidate_server,
)
from activities.healing.search.combination import combined
from activities.healing.search.explanation import explained, nothing_found
from activities.healing.search.generation import distinct, ordered_candidates
from activities.healing.search.localisation import is_source_path, suspicion
from activities.healing.search.measurement import Measurement, measure
from activities.healing.search.patch_choice import Plausible, best_of
from activities.healing.search.request import SearchProgress, SearchRequest, SearchResult
from activities.healing.search.source_text import SourceText, read_source
from activities.healing.search.trial import Killers, mended, settings_request, tried, warm_up
from activities.workspace import patch_of
from regreen.contracts.healing import Edit

_REPORT_SECONDS = 1.0
_LARGEST_SOURCE = 1 << 20
_EXTRA_SHARE = 4
"""After the first plausible patch, one more candidate is tried for each four before it."""
_EXTRA_LEAST, _EXTRA_MOST = 12, 150
_MOST_PARTIALS = 4000
_SERVER_LIVES = 6


@dataclass
class _Hunt:
    """The state that the workers of one search share."""

    request: SearchRequest
    measured: Measurement
    deadline: float
    order: Iterator[tuple[int, tuple[Candidate, ...]]]
    total: int
    decided: dict[int, bool] = field(default_factory=dict)
    plausible: list[Plausible] = field(default_factory=list)
    killers: Killers = field(default_factory=Killers)
    first: int = 0
    ran: int = 0
    warm: bool = False

    def limit(self) -> float:
        """The last position worth trying, given what was found."""
        kept = [one.position for one in self.plausible if not one.removes]
        if not kept:
            return float("inf")
        first = min(kept)
        return first + max(_EXTRA_LEAST, min(_EXTRA_MOST, first // _EXTRA_SHARE))

    def eligible(self) -> list[Plausible]:
        """What was found up to the limit; beyond it, what was tried depends on timing."""
        limit = self.limit()
        return [one for one in self.plausible if one.position <= limit]

    def tried(self) -> int:
        """Candidates decided without a gap, from the first."""
        position = self.first
        while position in self.decided:
            position += 1
        return position


async def search(request: SearchRequest) -> SearchResult:
    """Look for a patch until one is found, the candidates are used up or the time is over.

    Never raises for what the repository's code does. Raises ApplicationError when the sandbox
    cannot be had. On cancellation everything started is ended before CancelledError goes on.
    """
    deadline = time.monotonic() + request.seconds
    try:
        async with candidate_server(request.workspace, request.environment) as server:
            measured = await measure(server, request)
            if isinstance(measured, str):
                return SearchResult((), f"no patch: {measured}.", request.resume.tried)
            return await _hunted(request, measured, server, deadline)
    except ServerDied as error:
        return SearchResult((), f"no patch: the candidate server ended ({error}).",
                            request.resume.tried)  # fmt: skip


async def _hunted(
    request: SearchRequest, measured: Measurement, server: CandidateServer, deadline: float
) -> SearchResult:
    scores = suspicion(measured.spectra, len(measured.failing), request.failures)
    tests = set(measured.files.values())
    wanted = [path for path in scores if is_source_path(path) and path not in tests]
    sources = await asyncio.to_thread(_read, request.workspace, wanted)
    previous = await _previous(request.workspace, sources)
    ordered = await asyncio.to_thread(
        ordered_candidates, sources, scores, request.failures, previous, request.seed
    )
    suspected = _suspected({path: scores[path] for path in sources})
    numbered = enumerate((one,) for one in distinct(ordered))
    resumed = set(request.resume.plausible)
    order = (
        (position, patch)
        for position, patch in numbered
        if position >= request.resume.tried or position in resumed
    )
    hunt = _Hunt(request, measured, deadline, order, len(ordered), first=request.resume.tried)
    async with _reporting(hunt, suspected):
        hunt.warm = await warm_up(server, measured)
        await _worked(hunt, server)
        if best_of(hunt.eligible()) is None and len(measured.failing) > 1 and hunt.warm:
            await _combine(hunt, server, ordered)
    chosen = best_of(hunt.eligible())
    tried_in_all = request.resume.tried + hunt.ran
    if chosen is None:
        late = time.monotonic() >= deadline
        text = nothing_found(hunt.plausible, tried_in_all, suspected, late)
        return SearchResult((), text, tried_in_all, len(hunt.plausible))
    edits = sorted(
        (edit for candidate in chosen.candidates for edit in candidate.edits()),
        key=lambda edit: (edit.path, edit.start, edit.end),
    )
    text = explained(chosen.candidates, measured)
    return SearchResult(tuple(edits), text, tried_in_all, len(hunt.plausible))


async def _worked(hunt: _Hunt, server: CandidateServer) -> None:
    """Walk the order with all servers; the first is already running."""
    count = max(1, min(hunt.request.servers, os.cpu_count() or 1, 4))
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_work(hunt, server))
            for _ in range(count - 1):
                group.create_task(_work(hunt, None))
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from errors


async def _work(hunt: _Hunt, server: CandidateServer | None) -> None:
    """Take candidates in order and decide them, with a new server where one died."""
    pending: tuple[int, tuple[Candidate, ...]] | None = None
    for _ in range(_SERVER_LIVES):
        async with contextlib.AsyncExitStack() as stack:
            try:
                if server is None:
                    server = await stack.enter_async_context(
                        candidate_server(hunt.request.workspace, hunt.request.environment)
                    )
                    await server.ask(settings_request(hunt.measured), 60)
                    if hunt.warm and not await warm_up(server, hunt.measured):
                        return
                while time.monotonic() < hunt.deadline:
                    pending = next(hunt.order, None)
                    if pending is None or pending[0] > hunt.limit():
                        return
                    await _decide(hunt, server, *pending)
                return
            except ServerDied:
                if pending is not None:
                    hunt.decided[pending[0]] = False
                server = None


async def _decide(
    hunt: _Hunt, server: CandidateServer, position: int, patch: tuple[Candidate, ...]
) -> None:
    try:
        left = hunt.deadline - time.monotonic()
        async with asyncio.timeout(max(left, 0)):
            verdict = await tried(server, hunt.measured, patch, hunt.killers, hunt.warm)
    except TimeoutError:
        return
    hunt.ran += position >= hunt.first
    good = verdict == "pass" and not await _excluded(hunt.request, patch)
    hunt.decided[position] = good
    if good:
        hunt.plausible.append(Plausible(position, patch))
    # Decided in memory alone, candidates would otherwise starve the heartbeat.
    await asyncio.sleep(0)


async def _combine(hunt: _Hunt, server: CandidateServer, ordered: Sequence[Candidate]) -> None:
    """Try pairs of edits that each mend some of the failing tests and together all of them."""
    partial: list[tuple[frozenset[str], Candidate]] = []
    everything = frozenset(hunt.measured.failing)
    try:
        for candidate in itertools.islice(distinct(ordered), _MOST_PARTIALS):
            if time.monotonic() >= hunt.deadline:
                return
            good = await mended(server, hunt.measured, candidate)
            if good and good < everything:
                partial.append((good, candidate))
        start = hunt.total
        hunt.order = enumerate(combined(partial, everything), start)
        hunt.first = start
        await _work(hunt, server)
    except ServerDied:
        return


async def _excluded(request: SearchRequest, patch: tuple[Candidate, ...]) -> bool:
    """Whether this patch was proposed before and found wanting."""
    if not request.excluded:
        return False
    with tempfile.TemporaryDirectory(prefix="regreen-search-") as folder:
        copy = Path(folder) / "workspace"
        await asyncio.to_thread(shutil.copytree, request.workspace, copy, symlinks=True)
        for candidate in patch:
            path = copy / candidate.source.path
            path.write_bytes(applied(path.read_bytes(), candidate.edits()))
        return hashlib.sha256(await patch_of(copy)).hexdigest() in request.excluded


def applied(data: bytes, edits: Sequence[Edit]) -> bytes:
    """A file's bytes with the edits of that file made; they must not overlap."""
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end), reverse=True):
        data = data[: edit.start] + edit.replacement + data[edit.end :]
    return data


def _read(workspace: Path, paths: Sequence[str]) -> dict[str, SourceText]:
    """Parse the regular files among the paths that lie inside the workspace."""
    root = workspace.resolve()
    found: dict[str, SourceText] = {}
    for path in sorted(paths):
        file = root / path
        if file.is_symlink() or not file.is_file() or file.resolve() != file:
            continue
        if file.stat().st_size <= _LARGEST_SOURCE:
            source = read_source(path, file.read_bytes())
            if source is not None:
                found[path] = source
    return found


async def _previous(workspace: Path, sources: dict[str, SourceText]) -> dict[str, bytes]:
    """The files as they were before the last commit, where that changed them."""
    if not (workspace / ".git").exists():
        return {}
    found: dict[str, bytes] = {}
    with contextlib.suppress(Exception):
        listed = await git(["diff", "--name-only", "-z", "--diff-filter=M", "HEAD~1", "HEAD"],
                           cwd=workspace)  # fmt: skip
        for path in listed.decode("utf-8", "replace").split("\0"):
            if path in sources:
                found[path] = await git(["show", f"HEAD~1:{path}"], cwd=workspace)
    return found


def _suspected(scores: dict[str, dict[int, float]]) -> str:
    best = max(
        ((score, path, line) for path, lines in scores.items() for line, score in lines.items()),
        default=None, key=lambda entry: entry[0],
    )  # fmt: skip
    return f"{best[1]}:{best[2]}" if best else ""


@contextlib.asynccontextmanager
async def _reporting(hunt: _Hunt, suspected: str) -> AsyncIterator[None]:
    """Report progress every second while the block runs."""

    def now() -> SearchProgress:
        best = best_of(hunt.eligible())
        words = best.candidates[0].description if best else ""
        positions = tuple(sorted(one.position for one in hunt.plausible))
        return SearchProgress(hunt.tried(), hunt.total, words, suspected, positions)

    async def repeat() -> None:
        while hunt.request.report is not None:
            hunt.request.report(now())
            await asyncio.sleep(_REPORT_SECONDS)

    task = asyncio.create_task(repeat())
    try:
        yield
        if hunt.request.report is not None:
            hunt.request.report(now())
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
