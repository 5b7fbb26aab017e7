"""A repository's workflow: what it carries along, and what it asks of its activities."""

from typing import Literal

from pydantic import Field

from regreen.contracts.base import Contract
from regreen.contracts.forge_event import ForgeEvent, Provider
from regreen.contracts.run import RunState


class KnownPullRequest(Contract):
    """Where a person's pull request stood when it was last heard of."""

    number: int
    ref: str
    """The branch that it comes from."""
    commit: str
    """Its head."""


class Handled(Contract):
    """An event, and what was done about it."""

    at: str
    """By ISO 8601, to the second."""
    identity: str
    actor: str
    outcome: str
    """In one line for a person."""


class RepositoryState(Contract):
    """What a repository's workflow starts with: nothing, or what the one before it knew."""

    provider: Provider
    repository: str
    acted: dict[str, int] = Field(default_factory=dict)
    """When what was acted on, in seconds since the epoch, by the digest of its identity."""
    pull_requests: tuple[KnownPullRequest, ...] = ()
    merged: dict[str, str] = Field(default_factory=dict)
    """The runs whose pull requests were merged, by the commit that the merge made."""
    recent: tuple[Handled, ...] = ()
    """Newest last."""
    pending: tuple[ForgeEvent, ...] = ()
    """Taken, and not acted on yet."""


class EventSelection(Contract):
    """Asks whether the commit's own pipeline file selects an event."""

    repository: str
    location: str
    commit: str = Field(pattern="^[0-9a-f]{40}([0-9a-f]{24})?$")
    event: Literal["push", "pull_request"]
    ref: str
    base: str = ""


class Selected(Contract):
    """Whether it does."""

    refused: str = ""
    """Why not, in one line; empty when it does."""


class RunQuestion(Contract):
    """Asks for the runs of a pull request, or those that have one and are about a ref."""

    repository: str
    pull_request: int | None = None
    ref: str = ""
    """Only runs of this ref that have not ended and show heals; for questions without a number."""


class FoundRun(Contract):
    """A run, as the visibility store knows it."""

    workflow_id: str
    ref: str
    commit: str
    state: RunState
    ended: bool


class FoundRuns(Contract):
    """The runs, newest first."""

    runs: tuple[FoundRun, ...] = ()
