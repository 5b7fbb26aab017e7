"""What the outside is told of a run. Everything in it that a repository chose is untrusted text."""

from typing import Literal

from pydantic import Field

from regreen.contracts.base import Contract
from regreen.contracts.forge_check import Annotation
from regreen.contracts.run import RunState, StageState

AnnouncementKind = Literal[
    "started",
    "healed",
    "waiting",
    "stage",
    "failed",
    "released",
    "passed",
    "rejected",
    "expired",
    "cancelled",
    "alert",
    "resolved",
]
"""`stage` is for a forge's checks and is told to no other place."""

FINAL: tuple[AnnouncementKind, ...] = (
    *("failed", "released", "passed", "rejected", "expired", "cancelled"),
)
"""The kinds that say how a run ended."""

Colour = Literal["green", "red", "amber"]

MOST_REMARKS = 50
MOST_TESTS = 5


class AnnouncedStage(Contract):
    """One stage as the summary of a run shows it."""

    name: str
    state: StageState | Literal["running"] | None = None
    """None while it has not begun."""
    seconds: float = 0.0
    attempts: int = 0
    """How many patches were tried to make it green."""


class AnnouncedPullRequest(Contract):
    """The pull request with the run's heals."""

    number: int
    branch: str
    url: str


class Announcement(Contract):
    """One thing to tell. It holds no source text, no log, no value that a test compared."""

    key: str
    """Names it among all of all runs. What has the same key is told once."""
    kind: AnnouncementKind
    colour: Colour
    repository: str
    ref: str
    commit: str
    run: str
    """Workflow id of the run."""
    run_id: str
    reason: str = ""
    """Why the run ended so, what it waits for, or what the alert is about, in one line."""
    stage: str = ""
    """The stage that failed or was healed, or that a `stage` announcement is about."""
    state: StageState | Literal["running"] | None = None
    """How that stage is."""
    summary: str = ""
    """What that stage says of itself, for a forge. May quote what the repository's tools said."""
    attempts: int = 0
    """How many patches were tried: in the stage when it was healed, in the run otherwise."""
    tests: tuple[str, ...] = Field(default=(), max_length=MOST_TESTS)
    """The first failing tests, by name."""
    more_tests: int = 0
    """How many fail beside these."""
    remarks: tuple[Annotation, ...] = Field(default=(), max_length=MOST_REMARKS)
    """Findings and failing tests of the stage, for a forge."""
    pull_request: AnnouncedPullRequest | None = None
    version: str = ""
    """What was released."""
    commands: tuple[str, ...] = ()
    """What a person can type now."""
    seconds: float = 0.0
    """How long the run took; 0 while it goes on."""
    stages: tuple[AnnouncedStage, ...] = ()


class AnnouncementRequest(Contract):
    """What AnnouncementWorkflow is started with."""

    announces: bool
    """Whether the operator has named places."""
    forge: Literal["local", "github"] = "local"
    """Which forge is told of every stage."""
    location: str
    """Where that forge finds the repository: a clone URL, or a path on the publisher's disk."""
    first: Announcement


class PlacesQuestion(Contract):
    """Asks for the places that are told of a run."""

    repository: str


class AnnouncementPlaces(Contract):
    """The operator's places by name; their addresses are secrets and stay with the publisher."""

    names: tuple[str, ...]
    """`slack`, `discord`, `notify-1` and so on."""
    kinds: tuple[AnnouncementKind, ...]
    """What they are told."""
    alerts: bool
    """Whether there are thresholds that a run's end can cross."""


class PlacedAnnouncement(Contract):
    """One announcement for one place."""

    place: str
    announcement: Announcement


class Told(Contract):
    """What came of telling a place."""

    again: bool = False
    """It had been told before, and was not told once more."""


AlertMetric = Literal["success-rate", "heal-attempts", "p95"]


class EndedRun(Contract):
    """How a run ended, for the figures of its repository."""

    run: str
    run_id: str
    repository: str
    state: RunState
    heal_attempts: int
    seconds: float


class Alert(Contract):
    """A figure that has crossed its threshold, or has come back."""

    metric: AlertMetric
    crossed: bool
    """False when it has come back."""
    text: str
    """The figure, the window and the threshold, in one line."""


class Alerts(Contract):
    """What the end of a run changed; mostly nothing."""

    alerts: tuple[Alert, ...] = ()
