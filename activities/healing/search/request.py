"""What the search healer is asked, what it answers, and what it tells on the way."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from regreen.contracts.healing import Edit
from regreen.contracts.testing import TestFailure

if TYPE_CHECKING:
    from activities.healing.search.measurement import Measurement


@dataclass(frozen=True)
class SearchProgress:
    """How far a search has come. Small and serialisable, for heartbeats."""

    tried: int = 0
    """Turns decided, counted from the first without a gap: where an interrupted search goes on."""
    ran: int = 0
    """Candidates run in all."""
    total: int = 0
    """Candidates in the list; more may follow when edits are combined."""
    best: str = ""
    """The most convincing plausible patch so far, in words."""
    suspected: str = ""
    """The place most suspected, as `path:line`."""
    plausible: tuple[int, ...] = ()
    """Turns of the candidates that passed everything."""
    seconds: float = 0.0
    """How long the search has looked."""


@dataclass(frozen=True)
class SearchRequest:
    """One red stage, and the limits of the search for its repair."""

    workspace: Path
    """A private copy of the tree, with `.git`. It is read and copied, never written."""
    environment: Path
    """The repository's virtual environment, with pytest and coverage."""
    failing: tuple[str, ...]
    """Node ids that must pass afterwards; a file's name where the file was not collected."""
    failures: tuple[TestFailure, ...] = ()
    flaky: tuple[str, ...] = ()
    """Node ids whose outcome is not looked at."""
    paths: tuple[str, ...] = ()
    """The stage's paths for pytest."""
    arguments: tuple[str, ...] = ()
    """The stage's other arguments for pytest."""
    seconds: float = 120.0
    seed: int = 0
    servers: int = 2
    """Workspace copies that run candidates side by side, at most as many as there are cores."""
    excluded: frozenset[str] = frozenset()
    """SHA-256 of `patch_of` for patches that are not to be proposed again."""
    resume: SearchProgress = field(default_factory=SearchProgress)
    """The last progress of a search that was interrupted; the same order is walked on."""
    measured: "Measurement | None" = None
    """The measurement of the interrupted search; without it the stage is measured first."""
    report: Callable[[SearchProgress], None] | None = None
    """Called at least every second."""
    keep: "Callable[[Measurement], Awaitable[None]] | None" = None
    """Called once with what was measured, so that a search that goes on need not measure again."""


@dataclass(frozen=True)
class SearchResult:
    """The patch, or why there is none."""

    edits: tuple[Edit, ...]
    """Sorted by path and start, not overlapping, spans of the original bytes; empty: no patch."""
    explanation: str
    candidates: int
    """Candidates run, those before a resume included."""
    plausible: int = 0
    """How many candidates passed the whole stage."""
