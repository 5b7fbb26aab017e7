"""What the publisher is asked to show to a person, and to remember."""

from pydantic import Field

from regreen.contracts.base import Contract
from regreen.contracts.healing import Heal
from regreen.contracts.run import PullRequest
from regreen.contracts.source import Source
from regreen.pipeline_file import Pipeline


class PullRequestContent(Contract):
    """The heals of a run so far. Publishing it again updates the same pull request."""

    run: str
    """Workflow id of the run."""
    run_id: str = ""
    """Which of the runs with that id."""
    source: Source
    pipeline: Pipeline = Field(default_factory=Pipeline)
    branch: str = Field(pattern="^auto-heal/.")
    """The name for a new branch; a pull request that is open keeps its own."""
    heals: tuple[Heal, ...]
    quarantined: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Flaky tests whose failures were left aside, by stage."""


class Comment(Contract):
    """A comment on a pull request; one with the same key is written once."""

    pull_request: PullRequest
    repository: str
    key: str
    text: str


class PullRequestRecord(Contract):
    """A local pull request as it lies on disk."""

    number: int
    run: str
    run_id: str = ""
    repository: str
    ref: str = ""
    signatures: tuple[str, ...] = ()
    """The failures that it heals. Another run that heals one of them, on the same ref, updates it
    in place while it is open."""
    superseded: tuple[str, ...] = ()
    """The runs that it has shown before, as `RUN RUN_ID`."""
    title: str
    state: str = "open"
    """`open`, `approved` or `rejected`."""
    branch: str
    base: str
    head: str
    tree: str
    body: str
    comments: dict[str, str] = Field(default_factory=dict)


class PullRequestDecision(Contract):
    """A person's decision, to be shown on the pull request if it still shows what was decided."""

    pull_request: PullRequest
    repository: str
    state: str
    text: str
    key: str
