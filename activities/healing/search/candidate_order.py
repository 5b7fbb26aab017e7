"""In which order candidates are tried, and how: most take a millisecond, some a second."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from activities.healing.search.candidate import Candidate
from activities.healing.search.measurement import Measurement
from activities.healing.search.trial import Patch, can_be_exchanged, ran_at_collection

_WARM_FOR_EACH_COLD = 150
"""About as long as one cold run takes, so that neither kind waits for the other to end."""
_WARM_AMONG_COLLECTED = 10
"""The same where most of the functions ran while the tests were collected: a warm trial of them
says little."""


@dataclass(frozen=True)
class Trial:
    """A patch in its turn."""

    position: int
    patch: Patch
    warm: bool
    """Exchange functions in the warm process; otherwise run pytest from the start."""


def trials(candidates: Iterable[Candidate], measured: Measurement, warm: bool) -> Iterator[Trial]:
    """The candidates in turn: the given order, with those that need a cold run spread in between.

    A function that ran while the tests were collected is tried both ways, for what it left behind
    may or may not matter. `warm`: whether there is a warm process at all. The turns depend on the
    arguments alone.
    """
    for position, (candidate, is_warm) in enumerate(_turns(candidates, measured, warm)):
        yield Trial(position, (candidate,), is_warm)


def _turns(
    candidates: Iterable[Candidate], measured: Measurement, warm: bool
) -> Iterator[tuple[Candidate, bool]]:
    cold: deque[Candidate] = deque()
    since = warm_trials = collected = 0
    for candidate in candidates:
        if not warm:
            yield candidate, False
            continue
        exchangeable = can_be_exchanged(candidate, measured)
        ran = exchangeable and ran_at_collection(candidate, measured)
        if not exchangeable or ran:
            cold.append(candidate)
        if exchangeable:
            yield candidate, True
            since, warm_trials, collected = since + 1, warm_trials + 1, collected + ran
        few = 2 * collected > warm_trials
        if cold and since >= (_WARM_AMONG_COLLECTED if few else _WARM_FOR_EACH_COLD):
            yield cold.popleft(), False
            since = warm_trials = collected = 0
    for candidate in cold:
        yield candidate, False
