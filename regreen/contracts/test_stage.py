"""What TestStageWorkflow is given and gives back."""

from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.base import Contract
from regreen.contracts.healing import Attempt, Heal
from regreen.contracts.run import StageRequest, StageState


class TestStageRequest(StageRequest):
    """One test stage of a run."""

    __test__ = False

    earlier_stages: tuple[str, ...] = ()
    """Test stages that are green already and must stay so."""


class TestStageResult(Contract):
    """How a test stage ended; while it runs, its `progress` query gives the same."""

    __test__ = False

    state: StageState | None = None
    summary: str = ""
    attempts: tuple[Attempt, ...] = ()
    heal: Heal | None = None
    flaky: tuple[str, ...] = ()
    artifacts: tuple[ArtifactRef, ...] = ()
