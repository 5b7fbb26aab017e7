"""What a repository depends on: the list, what is asked about it, and what of it was accepted."""

from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.base import Contract
from regreen.contracts.gates import Scan
from regreen.contracts.run import StageRequest


class DependencyList(Contract):
    """The components that were found to be installed or locked."""

    scan: Scan
    """Of syft: why there is no list, if there is none."""
    bill: ArtifactRef | None = None
    """CycloneDX, normalised; None when there is nothing that could be examined."""
    own: tuple[str, ...] = ()
    """Package URLs of the repository's own packages, which are on the list, too."""
    remarks: tuple[str, ...] = ()
    """What could not be listed, a line each."""


class DependencyRequest(Contract):
    """A question about the components of a bill."""

    stage: StageRequest
    bill: ArtifactRef


class DependencyReviewRequest(Contract):
    """The components, and what the searches for vulnerabilities found in them."""

    stage: StageRequest
    listed: DependencyList
    scans: tuple[Scan, ...]


class AcceptedDependencies(Contract):
    """The components of a run that passed or was released."""

    repository: str
    commit: str
    bill: ArtifactRef
