"""What a forge is told of a stage, beside the commit that the run is about."""

from typing import Literal

from pydantic import Field

from regreen.contracts.base import Contract
from regreen.contracts.run import StageState


class Annotation(Contract):
    """One thing to show beside the code."""

    path: str = ""
    """Relative to the repository's root; empty when no file is meant."""
    line: int = Field(default=0, ge=0)
    """1-based; 0 when the whole file is meant, or none."""
    level: Literal["notice", "warning", "failure"]
    title: str
    message: str


class StageOnForge(Contract):
    """A stage as it is now. Telling it again changes nothing."""

    repository: str
    """`owner/name`."""
    location: str
    """The repository's clone URL, or the folder it is in."""
    commit: str
    """The commit that the run is about."""
    run: str
    """Workflow id of the run."""
    run_id: str
    """Which of the runs with that id."""
    stage: str
    state: StageState | Literal["running"]
    summary: str = ""
    """What the stage says of itself. May quote what the repository's tools said."""
    annotations: tuple[Annotation, ...] = Field(default=(), max_length=1000)
