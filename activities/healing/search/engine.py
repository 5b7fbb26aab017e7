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
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from activities.git import git
from activities.healing.search.behaviour import changed_share
from activities.healing.search.candidate import Candidate
from activities.healing.search.candidate_order import Trial, trials
from activities.healing.search.candidate_server import (
    CandidateServer,
    ServerDied,
    candidate_server,
)
from activities.healing.search.combination import combined
from activities.healing.search.explanation import explained, nothing_found
from activities.healing.search.generation import distinct, ordered_candidates
from activities.healing.search.hunt import Hunt
from activities.healing.search.localisation import is_source_path, suspicion
from activities.healing.search.measurement import Measurement, measure
from activities.healing.search.patch_choice import Plausible, best_of, ranked
from activities.healing.search.phrases import familiarity, phrases_of
from activities.healing.search.request import SearchProgress, SearchRequest, SearchResult
from activities.healing.search.source_text import SourceText, read_source
from activities.healing.search.trial import (
    can_be_exchanged,
    confirmed,
    found_by_name,
    settings_request,
    sieve_size,
    sifted,
    tried,
    unpatched,
    warm_up,
)
from activities.workspace import patch_of, private_folder
from regreen.contracts.healing import Edit

_REPORT_SECONDS = 1.0
_LARGEST_SOURCE = 1 << 20
_MOST_PARTIALS = 4000
_SERVER_LIVES = 6
_MOST_OBSERVED = 12
_LATER = 10_000_000
"""The turn at which what was postponed begins, and twice that for pairs: behind all others."""


async def search(request: SearchRequest) -> SearchResult:
    """Look for a patch until one is found, the candidates are used up or the time is over.

    Never raises for what the repository's code does. Raises ApplicationError when the sandbox
    cannot be had. On cancellation everything started is ended before CancelledError goes on.
    """
    deadline = time.monotonic() + max(1.0, request.seconds - request.resume.seconds)
    try:
        async with candidate_server(request.workspace, request.environment) as server:
            measured = request.measured or await measure(server, request)
            if isinstance(measured, str):
                return SearchResult((), f"no patch: {measured}.", request.resume.ran)
            if request.measured is None:
                measured = replace(measured, by_name=await found_by_name(server, measured))
                if request.keep is not None:
                    await request.keep(measured)
            return await _hunted(request, measured, server, deadline)
    except ServerDied as error:
        return SearchResult((), f"no patch: the candidate server ended ({error}).",
                            request.resume.ran)  # fmt: skip


async def _hunted(
    request: SearchRequest, measured: Measurement, server: CandidateServer, deadline: float
) -> SearchResult:
    scores = suspicion(
        measured.spectra, len(measured.failing), len(measured.others), request.failures
    )
    tests = set(measured.files.values())
    wanted = [path for path in scores if is_source_path(path) and path not in tests]
    sources = await asyncio.to_thread(_read, request.workspace, wanted)
    previous = await _previous(request.workspace, sources)
    suspected = _suspected({path: scores[path] for path in sources})
    ordered, warm = await asyncio.gather(
        asyncio.to_thread(
            ordered_candidates, sources, scores, request.failures, previous, request.seed
        ),
        warm_up(server, measured),
    )
    hunt = Hunt(request, measured, deadline, len(ordered), warm, sieve_size(measured))
    async with _reporting(hunt, suspected):
        if warm:
            hunt.known = await unpatched(server, measured, measured.probe, stop=True)
        first = _not_yet_tried(trials(distinct(ordered), measured, warm), request.resume)
        chosen = await _pursued(hunt, server, sources, first)
        if chosen is None:
            chosen = await _pursued(hunt, server, sources, _postponed(hunt))
        if chosen is None and warm:
            chosen = await _pursued(hunt, server, sources, await _pairs(hunt, server, ordered))
    ran = hunt.ran_in_all()
    if chosen is None:
        late = time.monotonic() >= deadline
        text = nothing_found(hunt.plausible, ran, suspected, late)
        return SearchResult((), text, ran, len(hunt.plausible))
    edits = sorted(
        (edit for candidate in chosen.candidates for edit in candidate.edits()),
        key=lambda edit: (edit.path, edit.start, edit.end),
    )
    others = [one for one in ranked(hunt.eligible()) if one.position != chosen.position]
    text = explained(chosen.candidates, measured, others)
    return SearchResult(tuple(edits), text, ran, len(hunt.plausible))


def _not_yet_tried(order: Iterable[Trial], resume: SearchProgress) -> Iterable[Trial]:
    again = set(resume.plausible)
    return (one for one in order if one.position >= resume.tried or one.position in again)


async def _pursued(
    hunt: Hunt,
    server: CandidateServer,
    sources: Mapping[str, SourceText],
    order: Iterable[Trial],
) -> Plausible | None:
    """Walk an order until a patch holds; the best of those that stand close together is tried."""
    hunt.walk(order)
    while time.monotonic() < hunt.deadline:
        await _worked(hunt, server)
        found = await _compared(hunt, server, sources)
        for one in found:
            if await _holds(hunt, server, one):
                return one
        if not found:
            break
        hunt.dismiss(found)
    return None


async def _worked(hunt: Hunt, server: CandidateServer | None) -> None:
    """Walk the order with all servers; one may be running already."""
    count = max(1, min(hunt.request.servers, os.cpu_count() or 1, 4))
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_work(hunt, server))
            for _ in range(count - 1):
                group.create_task(_work(hunt, None))
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from errors


async def _work(hunt: Hunt, server: CandidateServer | None) -> None:
    """Take trials in order and decide them, with a new server where one died."""
    pending: list[Trial] = []
    for _ in range(_SERVER_LIVES):
        async with contextlib.AsyncExitStack() as stack:
            try:
                if server is None:
                    server = await stack.enter_async_context(_another_server(hunt))
                while time.monotonic() < hunt.deadline:
                    # What was pending when a server died is tried again one by one.
                    together = not pending
                    pending = pending or hunt.take()
                    if not pending:
                        return
                    if together and len(pending) > 1:
                        await _sift(hunt, server, pending)
                        pending = []
                    else:
                        await _decide(hunt, server, pending[0])
                        pending.pop(0)
                    # Decided in memory alone, candidates would otherwise starve the heartbeat.
                    await asyncio.sleep(0)
                return
            except ServerDied:
                if len(pending) == 1 or not together:
                    hunt.decided[pending.pop(0).position] = False
                server = None


@contextlib.asynccontextmanager
async def _another_server(hunt: Hunt) -> AsyncIterator[CandidateServer]:
    async with candidate_server(hunt.request.workspace, hunt.request.environment) as server:
        await server.ask(settings_request(hunt.measured), 60)
        if hunt.warm and not await warm_up(server, hunt.measured):
            raise ServerDied("the tests cannot be collected again")
        yield server


async def _sift(hunt: Hunt, server: CandidateServer, turn: Sequence[Trial]) -> None:
    """Try candidates in turn in one process; what passes there is tried on its own."""
    patches = [trial.patch for trial in turn]
    probe = hunt.measured.probe
    results = await sifted(server, hunt.measured, patches, probe, stop=True, known=hunt.known)
    for place, trial in enumerate(turn):
        if results is None or results[place].verdict in {"pass", "unsupported"}:
            await _decide(hunt, server, trial)
        else:
            hunt.ran += 1
            hunt.decided[trial.position] = False


async def _decide(hunt: Hunt, server: CandidateServer, trial: Trial) -> None:
    try:
        left = hunt.deadline - time.monotonic()
        async with asyncio.timeout(max(left, 0)):
            verdict = await tried(server, hunt.measured, trial.patch, hunt.killers, trial.warm)
    except TimeoutError:
        return
    hunt.ran += trial.position >= hunt.request.resume.tried
    if verdict == "unsupported":
        hunt.postponed.append(trial)
    hunt.decided[trial.position] = verdict == "pass"
    if verdict == "pass":
        hunt.plausible.append(Plausible(trial.position, trial.patch))


def _postponed(hunt: Hunt) -> Iterable[Trial]:
    """Run cold what turned out not to be exchangeable."""
    postponed = sorted(hunt.postponed, key=lambda trial: trial.position)
    return [replace(t, position=_LATER + t.position, warm=False) for t in postponed]


async def _pairs(
    hunt: Hunt, server: CandidateServer, ordered: Sequence[Candidate]
) -> Iterable[Trial]:
    """Pairs of edits that may mend all failing tests together."""
    measured, failing = hunt.measured, hunt.measured.failing
    singles = (one for one in distinct(ordered) if can_be_exchanged(one, measured))
    some = itertools.islice(singles, _MOST_PARTIALS)
    partial: list[tuple[frozenset[str], bool, Candidate]] = []
    with contextlib.suppress(ServerDied):
        known = await unpatched(server, measured, failing, stop=False)
        while batch := list(itertools.islice(some, hunt.size)):
            if time.monotonic() >= hunt.deadline:
                return ()
            patches = [(one,) for one in batch]
            results = await sifted(server, measured, patches, failing, stop=False, known=known)
            for one, result in zip(batch, results or (), strict=bool(results)):
                if result.verdict == "fail":
                    changed = known is None or result.how != known.how
                    partial.append((result.mended, changed, one))
    pairs = combined(partial, frozenset(failing))
    return (Trial(2 * _LATER + place, pair, True) for place, pair in enumerate(pairs))


async def _compared(
    hunt: Hunt, server: CandidateServer, sources: Mapping[str, SourceText]
) -> Sequence[Plausible]:
    """What was found, the most convincing first, compared by more than the edits."""
    found = ranked(hunt.eligible())
    if len(found) < 2:
        return found
    known = phrases_of(source.text for source in sources.values())
    found = ranked(
        [replace(one, familiar=sum(familiarity(each, known) for each in one.candidates))
         for one in found]
    )  # fmt: skip
    if not hunt.warm:
        return found
    with contextlib.suppress(ServerDied):
        return ranked(
            [
                replace(one, changed=await changed_share(server, hunt.measured, one.candidates))
                for one in found[:_MOST_OBSERVED]
            ]
        )
    return found


async def _holds(hunt: Hunt, server: CandidateServer, found: Plausible) -> bool:
    """Whether the whole stage passes with the patch, and it was not proposed before."""
    if await _excluded(hunt.request, found.candidates):
        return False
    try:
        verdict = await confirmed(server, hunt.measured, found.candidates, hunt.killers)
    except ServerDied:
        async with _another_server(hunt) as other:
            verdict = await confirmed(other, hunt.measured, found.candidates, hunt.killers)
    return verdict == "pass"


async def _excluded(request: SearchRequest, patch: tuple[Candidate, ...]) -> bool:
    """Whether this patch was proposed before and found wanting."""
    if not request.excluded:
        return False
    with private_folder() as folder:
        copy = folder / "workspace"
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
async def _reporting(hunt: Hunt, suspected: str) -> AsyncIterator[None]:
    """Report progress every second while the block runs."""

    def now() -> SearchProgress:
        best = best_of(hunt.eligible())
        return SearchProgress(
            tried=hunt.tried(),
            ran=hunt.ran_in_all(),
            total=hunt.total,
            best=best.candidates[0].description if best else "",
            suspected=suspected,
            plausible=tuple(sorted(one.position for one in hunt.plausible)),
            seconds=hunt.request.seconds - (hunt.deadline - time.monotonic()),
        )

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
