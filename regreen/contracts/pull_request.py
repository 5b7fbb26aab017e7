"""What the publisher is asked to show to a person, and to remember."""

from pydantic import Field

from regreen.contracts.base import Contract
from regreen.contracts.healing import Heal
from regreen.contracts.run import PullRequest
from regreen.contracts.source import Source


class PullRequestContent(Contract):
    """The heals of a run so far. Publishing it again updates the same pull request."""

    run: str
    """Workflow id of the run: one pull request each."""
    source: Source
    branch: str
    heals: tuple[Heal, ...]


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
    repository: str
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
    """A person's decision, to be shown on the pull request."""

    pull_request: PullRequest
    repository: str
    state: str
    text: str
    key: str
