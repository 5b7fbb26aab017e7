"""What a release tells about the waivers that it needs."""

from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.base import Contract
from regreen.contracts.gates import Waiver
from regreen.contracts.release import ReleaseFile


class WaiversRequest(Contract):
    """The waivers of a release, and what they are about."""

    repository: str
    version: str
    waivers: tuple[ArtifactRef, ...]
    """As `WeighedGates.waivers`."""
    packages: tuple[ReleaseFile, ...]
    """What is released, without bills of materials."""
    at: str
    """ISO 8601 time of the release, from the workflow's clock."""


class ReleasedWaivers(Contract):
    """The statements in a release folder."""

    file: ReleaseFile
    first_to_end: Waiver
    """From its end on the release may not be published any more."""
