"""References to the large values that lie in the artifact store."""

from pydantic import Field

from regreen.contracts.base import Contract


class ArtifactRef(Contract):
    """One stored value, addressed by the SHA-256 of its bytes."""

    name: str = Field(description="file name a person would give it, without folders")
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    bytes: int = Field(ge=0)
    media_type: str = "application/octet-stream"
