"""What all sections of `regreen.yaml` have in common."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A part of the pipeline file. Unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")
