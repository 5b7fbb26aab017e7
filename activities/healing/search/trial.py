"""Running one candidate: the failing tests, then the whole stage, then once more from the start."""

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from activities.healing.search.candidate import Candidate
from activities.healing.search.candidate_server import CandidateServer
from activities.healing.search.measurement import Measurement

Verdict = Literal["pass", "fail", "timeout", "crash", "unsupported"]

_PATIENCE_SECONDS = 90.0
"""On top of a trial's own limit, before its server is given up."""


@dataclass
class Killers:
    """Tests that caught candidates which mended the failing ones; they are run first."""

    tests: list[str] = field(default_factory=list)

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
    return red["verdict"] in {"fail", "timeout"}


async def tried(
    server: CandidateServer,
    measured: Measurement,
    candidates: Sequence[Candidate],
    killers: Killers,
    warm: bool,
) -> Verdict:
    """Whether the whole stage passes with the candidates' edits."""
    hot = _hot(measured, candidates) if warm else None
    failing = killers.first(measured.failing)
    if hot is not None:
        quick = await _ask(server, measured, candidates, hot, failing)
        if quick["verdict"] == "unsupported":
            hot = None
        elif quick["verdict"] != "pass":
            _note(killers, quick)
            return _verdict(quick)
    if hot is not None and measured.others:
        most = await _ask(server, measured, candidates, hot, killers.first(measured.others))
        if most["verdict"] != "pass":
            _note(killers, most)
            if most["verdict"] != "unsupported":
                return _verdict(most)
    if hot is None and failing:
        files = sorted({measured.files.get(test, "") for test in failing})
        paths = files if all(files) else measured.settings["paths"]
        cold = await _ask(server, measured, candidates, None, failing, paths)
        if cold["verdict"] != "pass":
            _note(killers, cold)
            return _verdict(cold)
    everything = None if measured.uncollected else [*failing, *killers.first(measured.others)]
    paths = measured.settings["paths"]
    whole = await _ask(server, measured, candidates, None, everything, paths)
    _note(killers, whole)
    return _verdict(whole)


async def mended(
    server: CandidateServer, measured: Measurement, candidate: Candidate
) -> frozenset[str]:
    """Those of the failing tests that pass with the candidate; the rest of the stage is not run."""
    hot = _hot(measured, [candidate])
    if hot is None:
        return frozenset()
    limit = measured.limit(measured.failing)
    request = _request([candidate], hot, list(measured.failing), False, limit)
    request["cpu"] = measured.cpu_limit(measured.failing)
    answer = await server.ask(request, limit + _PATIENCE_SECONDS)
    return frozenset(answer["passed"])


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


def _hot(measured: Measurement, candidates: Sequence[Candidate]) -> list[dict[str, Any]] | None:
    """How to exchange the edited functions in the warm process; None when that does not do."""
    specifications = []
    for candidate in candidates:
        unit, text = candidate.unit, candidate.patched_unit()
        if unit is None or not unit.chain or text is None:
            return None
        if not set(measured.failing) <= set(measured.files):
            return None
        lines = measured.spectra.get(candidate.source.path, {})
        first = candidate.source.line_of(unit.start)
        last = candidate.source.line_of(max(unit.end - 1, unit.start))
        # Code that ran while the tests were collected has left its results behind.
        body = [line for line in lines if first < line <= last and lines[line][2]]
        if body:
            return None
        chain = [list(place) for place in unit.chain]
        specifications.append({"path": candidate.source.path, "chain": chain, "text": text})
    return specifications
