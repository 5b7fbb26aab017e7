"""What the steps that publish to targets beside the release folder tell each other."""

from pydantic import Field

from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.base import Contract
from regreen.contracts.release import ReleaseFile
from regreen.pipeline_file import TargetSection


class TargetRequest(Contract):
    """One target of a release. Staging, publishing and taking back are given the same request."""

    run: str
    """Workflow id of the run; a draft belongs to it."""
    target: TargetSection
    repository: str
    """`owner/name` of the released repository."""
    version: str
    tag: str
    commit: str = Field(pattern="^[0-9a-f]{40}([0-9a-f]{24})?$")
    notes: ArtifactRef
    files: tuple[ReleaseFile, ...]
    """Everything in the release folder; a target takes what it can hold."""
    public_key: ArtifactRef | None = None
    """The key that must have signed what is fetched back."""
