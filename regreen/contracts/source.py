"""What is built: a commit, and the tree that results from it and the patches of heals."""

import hashlib

from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.base import Contract


class Source(Contract):
    """One fetched commit of one repository."""

    repository: str
    """`owner/name`; `local/NAME-DIGEST` for a repository on disk without a remote."""
    location: str
    """Where the forge finds it: a path on the publisher's disk, or a clone URL."""
    ref: str
    commit: str
    tree: str
    """Git's hash of the commit's tree."""
    bundle: ArtifactRef
    """A git bundle holding the commit and its history."""
    base: str = ""
    """The commit that it branched off from, an ancestor; empty where no branch is known for it."""
    base_ref: str = ""
    """The branch that it branched off from, as a person calls it."""


class Workspace(Contract):
    """A tree that any runner can materialise: a source and an ordered list of patches."""

    source: Source
    patches: tuple[ArtifactRef, ...] = ()
    """Patches in `git diff --binary` form, applied in order."""

    def with_patch(self, patch: ArtifactRef) -> "Workspace":
        """The workspace that results when one more patch is applied."""
        return self.model_copy(update={"patches": (*self.patches, patch)})

    @property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that workspaces with the same tree share."""
        digests = [self.source.tree, *(patch.sha256 for patch in self.patches)]
        return hashlib.sha256("\n".join(digests).encode()).hexdigest()[:16]
