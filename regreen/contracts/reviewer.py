"""Who may decide: what the publisher is asked about a person, and what it says."""

from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.base import Contract


class ReviewerQuestion(Contract):
    """Whether an account of the forge may decide about what a run has made of a commit."""

    repository: str
    """`owner/name`."""
    location: str
    """The repository's clone URL, or the folder it is in."""
    commit: str
    """The commit that the run is about."""
    reviewer: str
    author_refused: bool = False
    """Whether the commit's own author and committer may not."""
    owners_of: tuple[str, ...] = ()
    """Paths whose code owners alone may; empty when everybody may who can write."""
    owners_of_patched: tuple[ArtifactRef, ...] = ()
    """Patches whose paths' code owners alone may."""


class ReviewerAnswer(Contract):
    """Whether the person may."""

    refused: str = ""
    """Why not, in one line; empty when the person may."""
