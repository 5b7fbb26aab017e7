"""What the steps that publish to targets beside the release folder tell each other."""

from pydantic import Field

from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.base import Contract
from regreen.contracts.receipts import TakenBack
from regreen.contracts.release import (
    CertificateIdentity,
    FolderRequest,
    ReleaseFile,
    TagRequest,
)
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
    identity: CertificateIdentity | None = None
    """The identity that must have, where it was without a key."""
    trusted_root: ArtifactRef | None = None
    """The services whose word its bundles must carry."""


class PublishedParts(Contract):
    """What a release has written where users see it, for taking it back."""

    tag: TagRequest
    folder: FolderRequest
    targets: tuple[TargetRequest, ...]


class WithdrawRequest(Contract):
    """A published release that is to be taken back."""

    parts: PublishedParts
    reason: str
    by: str
    """Who wants it."""
    at: str
    """ISO 8601 time."""


class WithdrawalRecord(Contract):
    """What the statement about a withdrawn release is written from."""

    request: WithdrawRequest
    taken: tuple[TakenBack, ...]


class WithdrawnFolder(Contract):
    """A release folder that is moved aside, and what is put beside it."""

    folder: FolderRequest
    statements: tuple[ReleaseFile, ...]


class Withdrawal(Contract):
    """How taking back a release ended."""

    version: str
    tag: str
    taken: tuple[TakenBack, ...]
    directory: str
    """Where the release folder is now, with the signed record of its withdrawal."""
