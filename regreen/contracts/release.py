"""What the release steps tell each other."""

from typing import Literal

from pydantic import Field

from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.base import Contract
from regreen.contracts.source import Workspace
from regreen.pipeline_file import Pipeline, ReleaseSection


class BillOfMaterialsRequest(Contract):
    """The wheel whose installed tree is to be listed."""

    workspace: Workspace
    """Where the wheel comes from; its repository's package cache is used."""
    pipeline: Pipeline
    wheel: ArtifactRef
    reuse: bool = False
    """As in `StageRequest`."""


class PlanRequest(Contract):
    """What a release's version and notes are made from."""

    workspace: Workspace
    settings: ReleaseSection
    packages: tuple[ArtifactRef, ...] = ()
    """What the package step built. A wheel's name says the package's version."""
    heals: tuple[str, ...] = ()
    """One explanation for each heal that is in the release."""


class ReleasePlan(Contract):
    """What would be released, shown for approval before anything is written."""

    version: str
    tag: str
    previous_tag: str | None
    bump: str
    """`major`, `minor`, `patch`, `initial`; `package`: the package's own version is newer than
    the last tag; `existing`: the commit has its tag already."""
    package_version: str | None = None
    """Version of the built package, or else of `pyproject.toml`."""
    remarks: tuple[str, ...] = ()
    """What a person who approves should know, such as a package version unlike the tag's."""
    notes: ArtifactRef
    """Release notes in Markdown."""


class ReleaseRequest(Contract):
    """What ReleaseWorkflow is given. `files` were built once and are never rebuilt."""

    run: str
    """Workflow id of the run."""
    workspace: Workspace
    plan: ReleasePlan
    files: tuple[ArtifactRef, ...]
    """Packages and bills of materials."""
    commit: str
    """Commit that the tag names: the fetched one, or the head of the heal branch."""
    settings: ReleaseSection
    require: tuple[str, ...] = ()
    tagged_at: str
    """ISO 8601 time for the tag, from the workflow's clock, so that a retry makes the same tag."""


class ReleaseFile(Contract):
    """One file of a release folder."""

    path: str = Field(pattern=r"^(patches/)?[A-Za-z0-9_][A-Za-z0-9._+!-]*$")
    """Place in the folder, with `/`."""
    content: ArtifactRef


class SignRequest(Contract):
    """Files to sign."""

    files: tuple[ReleaseFile, ...]
    require: tuple[str, ...] = ()


class SignedFiles(Contract):
    """Signatures made by the publisher."""

    bundles: tuple[ReleaseFile, ...]
    """One cosign bundle a file, at FILE.bundle."""
    public_key: ArtifactRef | None
    skipped: str = ""
    """Why nothing was signed; empty when everything was."""


class ChecksumRequest(Contract):
    """The files that SHA256SUMS lists."""

    files: tuple[ReleaseFile, ...]


class TagRequest(Contract):
    """An annotated tag. Equal requests make the same tag object, to the byte."""

    location: str
    """Path of the repository on the publisher's disk."""
    name: str
    commit: str = Field(pattern="^[0-9a-f]{40}([0-9a-f]{24})?$")
    message: str
    tagged_at: str
    """ISO 8601 time with its offset."""


class TagReceipt(Contract):
    """The tag as it stands in the repository."""

    name: str
    commit: str
    object: str
    """Git's hash of the tag object, or of the commit for a lightweight tag found there."""
    adopted: bool
    """It was there already, made by somebody else, at the same commit."""


class FolderRequest(Contract):
    """A release folder: draft, publish and discard are given the same request."""

    run: str
    """Workflow id of the run; the draft belongs to it."""
    repository: str
    version: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+!-]*$")
    files: tuple[ReleaseFile, ...]
    """Everything in the folder, `SHA256SUMS` included."""


class FolderReceipt(Contract):
    """A release folder as it stands on the publisher's disk."""

    directory: str
    sums: str
    """SHA-256 of the folder's `SHA256SUMS`."""
    adopted: bool
    """It was there already with the same bytes."""


class VerificationRow(Contract):
    """What was found about one file of a release folder."""

    path: str
    digest: Literal["ok", "changed", "missing", "extra", "refused", "unlisted"]
    """`unlisted`: SHA256SUMS itself and its signature, which it cannot list."""
    signature: Literal["ok", "bad", "absent", "unchecked", "none"]
    """`absent`: it should have one; `unchecked`: cosign is missing; `none`: it needs none."""
    detail: str = ""
    """What is wrong and why, or what else was found, in one line."""
    ok: bool


class VerificationReport(Contract):
    """The offline verification of a release folder."""

    directory: str
    ok: bool
    signed: bool
    """The folder has signatures and each was found good."""
    key: str
    """SHA-256 of the public key in the folder; empty without one."""
    summary: str
    """One line for a person; what is wrong first."""
    rows: tuple[VerificationRow, ...]


class PublishedRelease(Contract):
    """The folder to fetch back and verify, and the key that must have signed it."""

    directory: str
    public_key: ArtifactRef | None
