"""What the release steps tell each other."""

from typing import Literal

from pydantic import Field

from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.base import Contract
from regreen.contracts.checklist import Checklist
from regreen.contracts.healing import Heal
from regreen.contracts.release_plan import ReleasePlan
from regreen.contracts.run import Review
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
    waivers: tuple[ArtifactRef, ...] = ()
    """What let gates pass, as `WeighedGates.waivers`."""
    tagged_at: str
    """ISO 8601 time for the tag, from the workflow's clock, so that a retry makes the same tag."""
    pipeline: Pipeline = Pipeline()
    """The commit's `regreen.yaml`; the provenance tells it."""
    heals: tuple[Heal, ...] = ()
    """What was healed, for the provenance."""
    approvals: tuple[Review, ...] = ()
    """Who approved what is released."""
    checklist: Checklist
    """With everything but the signatures, which the release makes."""


class ReleaseFile(Contract):
    """One file of a release folder."""

    path: str = Field(pattern=r"^(patches/)?[A-Za-z0-9_][A-Za-z0-9._+!-]*$")
    """Place in the folder, with `/`."""
    content: ArtifactRef


class SignRequest(Contract):
    """Files to sign."""

    files: tuple[ReleaseFile, ...]
    require: tuple[str, ...] = ()
    logged: bool = True
    """Whether others may be told of the signatures: the transparency log, the certificate
    authority and its log, where such are chosen. Otherwise the publisher's own key signs."""


class CertificateIdentity(Contract):
    """Whom the certificates of keyless signatures are made out to."""

    identity: str = Field(pattern=r"^\S+$")
    """Subject of the certificate: an e-mail address, or the URI of a workflow."""
    issuer: str = Field(pattern=r"^\S+$")
    """The identity provider that vouches for it."""

    def __str__(self) -> str:
        return f"{self.identity} ({self.issuer})"


class SignedFiles(Contract):
    """Signatures made by the publisher, with a key or by an identity."""

    bundles: tuple[ReleaseFile, ...]
    """One cosign bundle a file, at FILE.bundle."""
    public_key: ArtifactRef | None
    identity: CertificateIdentity | None = None
    """Who signed, where it was without a key."""
    identity_file: ArtifactRef | None = None
    """The same, as it lies in the release folder."""
    trusted_root: ArtifactRef | None = None
    """The services whose word the bundles carry: transparency log, time-stamp authority,
    certificate authority; None without any."""
    skipped: str = ""
    """Why nothing was signed; empty when everything was."""


class AttestRequest(Contract):
    """What the provenance of a release's packages is written from."""

    run: str
    """Workflow id of the run."""
    workspace: Workspace
    plan: ReleasePlan
    commit: str
    """Commit that the tag names."""
    pipeline: Pipeline
    heals: tuple[Heal, ...]
    approvals: tuple[Review, ...]
    packages: tuple[ReleaseFile, ...]
    bills: tuple[ReleaseFile, ...]
    """Bills of materials, `NAME-VERSION.cdx.json` and the like."""
    checklist: Checklist = Checklist()
    checklist_file: ArtifactRef | None = None
    """The same, as it lies in the release folder."""

    def bill_of(self, package: ReleaseFile, suffix: str) -> ReleaseFile | None:
        """The bill of materials of that kind which is about the package."""
        for bill in self.bills:
            stem = bill.path.removesuffix(suffix)
            if stem != bill.path and package.path.startswith((f"{stem}-", f"{stem}.")):
                return bill
        return None


class Attestations(Contract):
    """Signed statements about the packages, each in a bundle beside its package."""

    files: tuple[ReleaseFile, ...]


class ChecksumRequest(Contract):
    """The files that SHA256SUMS lists."""

    files: tuple[ReleaseFile, ...]


class TagRequest(Contract):
    """An annotated tag. Equal requests make the same tag object, to the byte."""

    location: str
    """Path of the repository on the publisher's disk, or its clone URL on GitHub."""
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
    identity: CertificateIdentity | None = None
    """Whose certificates the signatures were checked with, where it was without a key."""
    pinned: bool = False
    """Key or identity was known beforehand. Otherwise the folder is whole, and anyone may have
    made it."""
    services: Literal["none", "own", "pinned"] = "none"
    """Whose word on transparency log, time-stamps and certificates was taken: the folder's own, or
    one that was known beforehand."""
    summary: str
    """One line for a person; what is wrong first."""
    rows: tuple[VerificationRow, ...]


class Expectations(Contract):
    """What whoever verifies a release knows beforehand; empty is not compared."""

    key_sha256: str = ""
    """SHA-256 of the public key's file, as the tag's message tells it."""
    repository: str = ""
    commit: str = ""
    """The commit that was fetched, before heals."""
    builder: str = ""

    @property
    def of_provenance(self) -> bool:
        """Whether provenance is needed to meet them."""
        return bool(self.repository or self.commit or self.builder)


class PublishedRelease(Contract):
    """The folder to fetch back and verify, and the key or identity that must have signed it."""

    directory: str
    public_key: ArtifactRef | None
    identity: CertificateIdentity | None = None
    trusted_root: ArtifactRef | None = None
    """The services whose word its bundles must carry."""
