"""What the workers of one search share: whose turn it is, and what was found."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from activities.healing.search.candidate_order import Trial
from activities.healing.search.measurement import Measurement
from activities.healing.search.patch_choice import Plausible
from activities.healing.search.request import SearchRequest
from activities.healing.search.trial import Killers, Sifted

_EXTRA_SHARE = 4
"""After the first plausible patch, one more candidate is tried for each four before it."""
_EXTRA_LEAST, _EXTRA_MOST = 60, 400


@dataclass
class Hunt:
    """The state of one search."""

    request: SearchRequest
    measured: Measurement
    deadline: float
    total: int
    warm: bool
    size: int
    """How many candidates a server tries in turn."""
    decided: dict[int, bool] = field(default_factory=dict)
    plausible: list[Plausible] = field(default_factory=list)
    killers: Killers = field(default_factory=Killers)
    known: Sifted | None = None
    """How the failing tests fail unpatched."""
    postponed: list[Trial] = field(default_factory=list)
    """Trials that can only be run cold, as turned out."""
    ran: int = 0
    _waiting: deque[Trial] = field(default_factory=deque)
    _order: Iterator[Trial] = field(default_factory=lambda: iter(()))

    def walk(self, order: Iterable[Trial]) -> None:
        """Go on with these trials."""
        self._order, self._waiting = iter(order), deque()

    def take(self) -> list[Trial]:
        """The next trials to be run together; empty when there is nothing left worth trying."""
        taken: list[Trial] = []
        while len(taken) < self.size:
            trial = self._waiting.popleft() if self._waiting else next(self._order, None)
            if trial is None or trial.position > self.limit():
                break
            if taken and not trial.warm:
                self._waiting.append(trial)
                break
            taken.append(trial)
            if not trial.warm:
                break
        return taken

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
        """Trials decided without a gap, from the one at which this search began."""
        position = self.request.resume.tried
        while position in self.decided:
            position += 1
        return position

    def ran_in_all(self) -> int:
        """Candidates run, those before an interruption included."""
        return self.request.resume.ran + self.ran
