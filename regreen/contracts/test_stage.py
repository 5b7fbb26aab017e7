"""What TestStageWorkflow is given and gives back."""

from pydantic import Field

from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.base import Contract
from regreen.contracts.healing import Attempt, Heal
from regreen.contracts.run import StageRequest, StageState
from regreen.contracts.testing import Triage


class TestStageRequest(StageRequest):
    """One test stage of a run."""

    __test__ = False

    earlier_stages: tuple[str, ...] = ()
    """Test stages that are green already and must stay so."""
    earlier_quarantine: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Flaky tests of those stages, by the stage's name: their failures do not count."""
    earlier_attempts: tuple[Attempt, ...] = ()
    """What the stage has tried on an earlier tree of the same run; it counts."""


class StageAttempt(Contract):
    """An attempt that a stage has just made, for the run's audit record."""

    stage: str
    attempt: Attempt


class TestStageResult(Contract):
    """How a test stage ended; while it runs, its `progress` query gives the same."""

    __test__ = False

    state: StageState | None = None
    summary: str = ""
    attempts: tuple[Attempt, ...] = ()
    heal: Heal | None = None
    unhealed_coverage: ArtifactRef | None = None
    """What the tests ran of the code before the heal, as coverage.py's JSON report."""
    flaky: tuple[str, ...] = ()
    """Flaky tests whose failures were left aside."""
    triage: Triage | None = None
    """What kind of failure it was; None when nothing failed."""
    artifacts: tuple[ArtifactRef, ...] = ()
