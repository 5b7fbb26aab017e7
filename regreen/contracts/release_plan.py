"""What would be released: the version and its reason, the steps, and what has changed."""

from typing import Literal

from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.base import Contract
from regreen.contracts.source import Workspace
from regreen.pipeline_file import ReleaseSection

StepKind = Literal["reversible", "yank-only", "irrevocable"]


class PlanRequest(Contract):
    """What a release's version and notes are made from."""

    workspace: Workspace
    settings: ReleaseSection
    packages: tuple[ArtifactRef, ...] = ()
    """What the package step built. A wheel's name says the package's version."""
    heals: tuple[str, ...] = ()
    """One explanation for each heal that is in the release."""
    waivers: tuple[str, ...] = ()
    """One line for each finding that a waiver excuses."""


class PlannedStep(Contract):
    """One place that the release writes to."""

    name: str
    kind: StepKind
    """What can be done about it once it is published; before that all steps are taken back."""
    place: str
    undo: str
    """How it is taken back, in a few words."""


class ChangedFile(Contract):
    """One file that differs from the last release."""

    path: str
    insertions: int | None
    """Lines; None for a binary file."""
    deletions: int | None


class ReleaseChanges(Contract):
    """What differs from the last release, without heals."""

    commits: tuple[str, ...]
    """`0123abc feat: sell tea`, the newest first; at most 20."""
    commit_count: int
    files: tuple[ChangedFile, ...]
    """Those with the most lines first; at most 20."""
    file_count: int
    insertions: int
    deletions: int
    diff: ArtifactRef
    """All of it, in git's form."""


class ReleaseDocument(Contract):
    """A document of the commit that the checklist asks for."""

    item: Literal["changelog", "migration", "rollback"]
    path: str = ""
    sha256: str = ""
    problem: str = ""
    """Why it is no evidence, in one line; empty when it is."""


class ReleasePlan(Contract):
    """What would be released, shown for approval before anything is written."""

    version: str
    tag: str
    previous_tag: str | None
    bump: str
    """`major`, `minor`, `patch`, `initial`; `package`: the package's own version is newer than
    the last tag; `override`: the pipeline file or a commit names it; `existing`: the commit has its
    tag already; `none`: there is nothing to release."""
    because: str = ""
    """What decided the version, in one line."""
    deciding: tuple[str, ...] = ()
    """The commits that did, as in `ReleaseChanges.commits`; at most 10."""
    package_version: str | None = None
    """Version of the built package, or else of `pyproject.toml`."""
    remarks: tuple[str, ...] = ()
    """What a person who approves should know, such as a package version unlike the tag's."""
    notes: ArtifactRef
    """Release notes in Markdown."""
    prerelease: bool = False
    breaking: tuple[str, ...] = ()
    """What breaks for users of the last release; at most 10."""
    steps: tuple[PlannedStep, ...] = ()
    """In the order in which they are published."""
    changes: ReleaseChanges | None = None
    """None for the first release."""
    documents: tuple[ReleaseDocument, ...] = ()
    nothing: str = ""
    """Why there is nothing to release, in one line; empty when there is something."""
