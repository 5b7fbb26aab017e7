"""What a repository's workflow remembers, bounded in count and age."""

import hashlib
from datetime import datetime

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from regreen.contracts.forge_event import ForgeEvent
    from regreen.contracts.repository import Handled, KnownPullRequest, RepositoryState

_MOST_IDENTITIES = 5000
_KEPT_SECONDS = 7 * 86400
_MOST_PULL_REQUESTS = 500
_MOST_RECENT = 20
_LONGEST_OUTCOME = 300


class RepositoryMemory:
    """Which events were acted on, where pull requests stand, what was done last."""

    def __init__(self, state: RepositoryState) -> None:
        self._state = state
        self._acted = dict(state.acted)
        self._pull_requests = {each.number: each for each in state.pull_requests}
        self._merged = dict(state.merged)
        self.recent = list(state.recent)

    def take(self, event: ForgeEvent, now: float) -> bool:
        """Whether the event is new; from now on it is not."""
        digest = _digest(event)
        if digest in self._acted:
            return False
        self._acted[digest] = int(now)
        _trim(self._acted, _MOST_IDENTITIES)
        return True

    def forget(self, event: ForgeEvent) -> None:
        """Let the event be new again."""
        self._acted.pop(_digest(event), None)

    def note(self, event: ForgeEvent, outcome: str, now: datetime) -> None:
        """Keep what was done, for people."""
        handled = Handled(
            at=now.isoformat(timespec="seconds"),
            identity=event.identity[:_LONGEST_OUTCOME],
            actor=event.actor,
            outcome=outcome[:_LONGEST_OUTCOME],
        )
        self.recent = [*self.recent, handled][-_MOST_RECENT:]

    def note_pull_request(self, event: ForgeEvent) -> None:
        """Keep where a person's pull request stands."""
        if event.pull_request is not None:
            self._pull_requests.pop(event.pull_request, None)
            self._pull_requests[event.pull_request] = KnownPullRequest(
                number=event.pull_request, ref=event.ref, commit=event.commit
            )
            _trim(self._pull_requests, _MOST_PULL_REQUESTS)

    def pull_request(self, number: int | None) -> KnownPullRequest | None:
        """Where a person's pull request stands, if it was heard of."""
        return None if number is None else self._pull_requests.get(number)

    def note_merged(self, commit: str, run: str) -> None:
        """Keep that a run goes on with the commit that a merge made."""
        self._merged[commit] = run
        _trim(self._merged, _MOST_PULL_REQUESTS)

    def merged(self, commit: str) -> str | None:
        """The run that goes on with the commit, if there is one."""
        return self._merged.get(commit)

    def state(self, pending: tuple[ForgeEvent, ...], now: float) -> RepositoryState:
        """What the workflow's next run starts with."""
        return RepositoryState(
            provider=self._state.provider,
            repository=self._state.repository,
            acted={key: at for key, at in self._acted.items() if now - at < _KEPT_SECONDS},
            pull_requests=tuple(self._pull_requests.values()),
            merged=self._merged,
            recent=tuple(self.recent),
            pending=pending,
        )


def _digest(event: ForgeEvent) -> str:
    # Five thousand of them go into one payload of at most 2 MiB, and identities hold names.
    return hashlib.sha256(event.identity.encode()).hexdigest()[:24]


def _trim(known: dict[str, int] | dict[str, str] | dict[int, KnownPullRequest], most: int) -> None:
    """Drop what came first."""
    for key in list(known)[: max(0, len(known) - most)]:
        del known[key]  # type: ignore[arg-type]
