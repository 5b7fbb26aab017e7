"""How much a patch changes of what its function did in the tests that passed before."""

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from activities.healing.search.candidate import Candidate
from activities.healing.search.candidate_server import CandidateServer
from activities.healing.search.measurement import Measurement
from activities.healing.search.trial import can_be_exchanged, exchanged, touched

_MOST_TESTS = 60
_MOST_SECONDS = 2.0
_PATIENCE_SECONDS = 30.0

Calls = dict[str, list[str]]
"""By test: a digest of each call's arguments and result."""


async def changed_share(
    server: CandidateServer, measured: Measurement, patch: Sequence[Candidate]
) -> float:
    """The share of the calls of the edited function whose result is another one, from 0 to 1.

    Only tests that passed unpatched are run, the quickest. What such a test does with the function
    was right, or did not matter: of two patches that pass, the one that leaves more of it as it was
    is less likely to go too far. 0 where it cannot be seen. Raises ServerDied.
    """
    if not all(can_be_exchanged(candidate, measured) for candidate in patch):
        return 0.0
    tests = _tests(measured, patch)
    before = await _observed(server, measured, patch[0], (), tests)
    after = await _observed(server, measured, patch[0], patch, tests)
    if before is None or after is None:
        return 0.0
    pairs = [
        pair
        for test in {**before, **after}
        for pair in zip_longest(before.get(test, ()), after.get(test, ()))
    ]
    return sum(old != new for old, new in pairs) / len(pairs) if pairs else 0.0


def _tests(measured: Measurement, patch: Sequence[Candidate]) -> list[str]:
    chosen: list[str] = []
    seconds = 0.0
    for test in touched(patch, measured)[:_MOST_TESTS]:
        seconds += measured.seconds.get(test, 0.0)
        if seconds > _MOST_SECONDS:
            break
        chosen.append(test)
    return chosen


async def _observed(
    server: CandidateServer,
    measured: Measurement,
    place: Candidate,
    patch: Sequence[Candidate],
    tests: Sequence[str],
) -> Calls | None:
    assert place.unit is not None
    name, line = place.unit.chain[0]
    limit = 4 * measured.limit(tuple(tests))
    request: dict[str, Any] = {
        "request": "observe",
        "hot": exchanged(patch),
        "place": [place.source.path, name, line],
        "tests": list(tests),
        "limit": limit,
        "cpu": 4 * measured.cpu_limit(tuple(tests)),
    }
    answer = await server.ask(request, limit + _PATIENCE_SECONDS)
    return answer["calls"] if answer["verdict"] == "observed" else None
