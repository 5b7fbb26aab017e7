"""Running candidates: many at once against the failing tests, then what is left one by one."""

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from activities.healing.search.candidate import Candidate
from activities.healing.search.candidate_server import CandidateServer
from activities.healing.search.measurement import Measurement

Verdict = Literal["pass", "fail", "timeout", "crash", "unsupported"]
Patch = tuple[Candidate, ...]

_PATIENCE_SECONDS = 90.0
"""On top of a trial's own limit, before its server is given up."""
_SIEVE_SECONDS = 0.5
_LARGEST_SIEVE = 48
_FORK_DOES_NOT_MATTER = 0.05


@dataclass
class Killers:
    """Tests that caught candidates which mended the failing ones; they are run first."""

    tests: list[str] = field(default_factory=list)
    proven: set[str] = field(default_factory=set)
    """Tests that pass unpatched in the warm process as they do in the stage."""
    deceptive: set[str] = field(default_factory=set)
    """Tests that fail there unpatched: what they say of a candidate is worth nothing."""

    def add(self, test: str) -> None:
        """Move a test to the front."""
        if test in self.tests:
            self.tests.remove(test)
        self.tests.insert(0, test)
        del self.tests[20:]

    def first(self, tests: Sequence[str]) -> list[str]:
        """The tests with the killers in front."""
        known = set(tests)
        front = [test for test in self.tests if test in known]
        chosen = set(front)
        return [*front, *(test for test in tests if test not in chosen)]


@dataclass(frozen=True)
class Sifted:
    """What the failing tests said of one candidate."""

    verdict: Verdict
    mended: frozenset[str] = frozenset()
    how: tuple[tuple[str, str], ...] = ()
    """Tests that failed, each with a fingerprint of how it did."""


def settings_request(measured: Measurement) -> dict[str, Any]:
    """Tell a server what a green run is."""
    return {"request": "settings", "settings": measured.settings}


async def warm_up(server: CandidateServer, measured: Measurement) -> bool:
    """Start the warm process; False when candidates can only be run from the start."""
    limit = measured.cold_limit() + 30
    await server.ask(settings_request(measured), 60)
    if measured.uncollected and not measured.failing:
        return False
    answer = await server.ask({"request": "warm", "limit": limit}, limit + _PATIENCE_SECONDS)
    if answer["verdict"] != "warm" or not {*measured.failing} <= {*answer["collected"]}:
        return False
    # Unpatched, the warm process must see what the stage saw, or its verdicts mean nothing.
    alone = [measured.failing[0]]
    request = _request((), [], alone, True, measured.limit(tuple(alone)))
    request["cpu"] = measured.cpu_limit(tuple(alone))
    red = await server.ask(request, limit + _PATIENCE_SECONDS)
    return red["verdict"] in {"fail", "timeout", "crash"}


def sieve_size(measured: Measurement) -> int:
    """How many candidates to try in turn in one process.

    One where the tests look beyond the process, or take so long that a fork does not matter.
    """
    expected = measured.expected(measured.probe)
    if measured.leaving or expected > _FORK_DOES_NOT_MATTER:
        return 1
    return max(1, min(_LARGEST_SIEVE, int(_SIEVE_SECONDS / max(expected, 0.001))))


async def unpatched(
    server: CandidateServer, measured: Measurement, tests: Sequence[str], *, stop: bool
) -> Sifted | None:
    """How failing tests fail without any edit; None when not each time in the same way."""
    if any(measured.hangs(test) for test in tests):
        return None
    results = await sifted(server, measured, [(), ()], tests, stop=stop, known=None)
    return results[0] if results and results[0] == results[1] else None


async def sifted(
    server: CandidateServer,
    measured: Measurement,
    patches: Sequence[Patch],
    tests: Sequence[str],
    *,
    stop: bool,
    known: Sifted | None,
) -> list[Sifted] | None:
    """Try patches in turn against some of the failing tests, to the first failure if `stop`.

    `known` is how the unpatched code fails. When it no longer does after the last patch, traces of
    a patch reached others: then the answer is None, and each has to be tried alone.
    """
    watched = known is not None and len(patches) > 1
    hot = [exchanged(patch) for patch in patches]
    limit = measured.limit(tuple(tests))
    request = {
        "request": "sieve",
        "candidates": [*hot, []] if watched else hot,
        "tests": list(tests),
        "stop": stop,
        "limit": limit,
        "seconds": measured.cpu_seconds(tuple(tests)),
    }
    answer = await server.ask(request, limit * (len(hot) + 1) + _PATIENCE_SECONDS)
    if answer["verdict"] != "sieved":
        return None
    results = [_sifted(one) for one in answer["answers"]]
    if watched and results.pop() != known:
        return None
    return results


def _sifted(answer: dict[str, Any]) -> Sifted:
    return Sifted(
        _verdict(answer), frozenset(answer["passed"]), tuple(sorted(answer.get("how", {}).items()))
    )


async def tried(
    server: CandidateServer,
    measured: Measurement,
    candidates: Sequence[Candidate],
    killers: Killers,
    warm: bool,
) -> Verdict:
    """Whether the failing tests pass with the candidates' edits, and those that they can turn red.

    `warm`: exchange the edited functions in the warm process; `unsupported` when that cannot be.
    Otherwise the whole stage is run from the start.
    """
    failing = killers.first(measured.failing)
    if warm:
        hot = exchanged(candidates)
        quick = await _ask(server, measured, candidates, hot, failing)
        if quick["verdict"] == "pass":
            quick = await _keeps(server, measured, candidates, killers) or quick
        _note(killers, quick)
        return _verdict(quick)
    if failing:
        first = list(measured.probe) if measured.by_name else failing
        cold = await _ask(server, measured, candidates, None, first, _cold_paths(measured))
        if cold["verdict"] != "pass":
            _note(killers, cold)
            return _verdict(cold)
    return await confirmed(server, measured, candidates, killers)


async def _keeps(
    server: CandidateServer,
    measured: Measurement,
    candidates: Sequence[Candidate],
    killers: Killers,
) -> dict[str, Any] | None:
    """The answer of the passing tests that the edits can turn red; None when there are none."""
    while True:
        able = [test for test in touched(candidates, measured) if test not in killers.deceptive]
        others = killers.first(able)
        if not others:
            return None
        answer = await _ask(server, measured, candidates, exchanged(candidates), others)
        failed = [str(test) for test in answer["failed"]]
        unknown = [test for test in failed if test not in killers.proven]
        if answer["verdict"] != "fail" or not unknown:
            return answer
        # In the same company: many a test fails only after certain others.
        unpatched_too = await _ask(server, measured, (), [], others)
        if unknown[0] not in unpatched_too["failed"]:
            killers.proven.add(unknown[0])
            return answer
        killers.deceptive.add(unknown[0])


def _cold_paths(measured: Measurement) -> list[str]:
    """What to give to pytest for the failing tests: as little as it can collect."""
    if measured.by_name:
        return list(measured.probe)
    files = sorted({measured.files.get(test, "") for test in measured.failing})
    return files if all(files) else list(measured.settings["paths"])


async def found_by_name(server: CandidateServer, measured: Measurement) -> bool:
    """Whether pytest finds the quickest failing tests when it is given nothing but their names.

    Collecting the rest of their files takes longer than many of them run.
    """
    if not measured.failing or measured.uncollected:
        return False
    tests = list(measured.probe)
    answer = await _ask(server, measured, (), None, tests, tests)
    ran = set(answer.get("ran", ()))
    return bool(ran) and ran <= set(tests)


async def confirmed(
    server: CandidateServer,
    measured: Measurement,
    candidates: Sequence[Candidate],
    killers: Killers,
) -> Verdict:
    """Whether the whole stage passes with the edits on disk, in pytest run from the start."""
    tests = [*killers.first(measured.failing), *killers.first(measured.others)]
    everything = None if measured.uncollected else tests
    paths = measured.settings["paths"]
    whole = await _ask(server, measured, candidates, None, everything, paths)
    _note(killers, whole)
    return _verdict(whole)


def can_be_exchanged(candidate: Candidate, measured: Measurement) -> bool:
    """Whether the edit lies in a function that a warm process could exchange."""
    known = set(measured.failing) <= set(measured.files)
    unit = candidate.unit
    return known and unit is not None and bool(unit.chain) and candidate.patched_unit() is not None


def ran_at_collection(candidate: Candidate, measured: Measurement) -> bool:
    """Whether the edited function ran while tests were collected and left results behind."""
    unit = candidate.unit
    assert unit is not None
    lines = measured.spectra.get(candidate.source.path, {})
    first, last = _lines(candidate)
    return any(counts[2] for line, counts in lines.items() if first < line <= last)


def exchanged(patch: Sequence[Candidate]) -> list[dict[str, Any]]:
    """The functions to exchange for a patch, as the warm process wants them told."""
    specifications = []
    for candidate in patch:
        assert candidate.unit is not None
        chain = [list(place) for place in candidate.unit.chain]
        text = candidate.patched_unit()
        specifications.append({"path": candidate.source.path, "chain": chain, "text": text})
    return specifications


def touched(candidates: Sequence[Candidate], measured: Measurement) -> tuple[str, ...]:
    """The passing tests that a patch can turn red, the quickest first."""
    found: dict[str, None] = {}
    for candidate in candidates:
        found |= dict.fromkeys(measured.touched_by(candidate.source.path, *_lines(candidate)))
    return tuple(found)


def _lines(candidate: Candidate) -> tuple[int, int]:
    unit, source = candidate.unit, candidate.source
    assert unit is not None
    return source.line_of(unit.start), source.line_of(max(unit.end - 1, unit.start))


def _note(killers: Killers, answer: dict[str, Any]) -> None:
    if answer["verdict"] == "fail" and answer["failed"]:
        killers.add(str(answer["failed"][0]))


def _verdict(answer: dict[str, Any]) -> Verdict:
    verdict = answer["verdict"]
    return verdict if verdict in {"pass", "fail", "timeout", "unsupported"} else "crash"


async def _ask(
    server: CandidateServer,
    measured: Measurement,
    candidates: Sequence[Candidate],
    hot: list[dict[str, Any]] | None,
    tests: list[str] | None,
    paths: Sequence[str] = (),
) -> dict[str, Any]:
    limit = measured.cold_limit() if hot is None else measured.limit(tuple(tests or ()))
    request = _request(candidates, hot, tests, True, limit) | {"paths": list(paths)}
    if hot is not None:
        request["cpu"] = measured.cpu_limit(tuple(tests or ()))
    return await server.ask(request, limit + _PATIENCE_SECONDS)


def _request(
    candidates: Sequence[Candidate],
    hot: list[dict[str, Any]] | None,
    tests: list[str] | None,
    stop: bool,
    limit: float,
) -> dict[str, Any]:
    edits = [
        [edit.path, edit.start, edit.end, base64.b64encode(edit.replacement).decode()]
        for candidate in candidates
        for edit in candidate.edits()
    ]
    return {"request": "try", "edits": edits, "hot": hot, "tests": tests, "stop": stop,
            "limit": limit, "cpu": math.ceil(limit) + 2}  # fmt: skip
