"""The common base of every contract."""

from pydantic import BaseModel, ConfigDict


class Contract(BaseModel):
    """An immutable value that rejects unknown fields, so that a misspelt one is never lost."""

    model_config = ConfigDict(frozen=True, extra="forbid")
