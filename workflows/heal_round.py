"""What one round of a healer starts from, and what comes out of it."""

from dataclasses import dataclass
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from regreen.contracts.artifacts import ArtifactRef
    from regreen.contracts.healing import Attempt, AttemptVerdict, FailedPatch, Opened
    from regreen.contracts.test_stage import TestStageRequest
    from regreen.contracts.testing import TestReport, Triage


@dataclass(frozen=True)
class HealRound:
    """What every attempt of a stage starts from."""

    request: TestStageRequest
    report: TestReport
    triage: Triage
    earlier: tuple[Attempt, ...]
    failed: tuple[FailedPatch, ...]
    """Patches that came to nothing, of earlier runs and of this one, the oldest first."""
    deadline: float
    """When the budget of seconds is used up, by the workflow's clock."""

    @property
    def quarantined(self) -> tuple[str, ...]:
        """Tests whose failures do not count, those found by earlier attempts among them."""
        found = (name for attempt in self.earlier for name in attempt.flaky)
        return tuple(dict.fromkeys((*self.triage.flaky, *found)))

    @property
    def seconds_left(self) -> float:
        """What is left of the budget of seconds."""
        return self.deadline - workflow.time()

    @property
    def stage_fields(self) -> dict[str, Any]:
        """What every request about the stage begins with."""
        return {
            "stage": self.request.stage,
            "workspace": self.request.workspace,
            "pipeline": self.request.pipeline,
        }


@dataclass(frozen=True)
class Exhausted:
    """A healer that takes no part any more."""

    reason: str
    attempt: Attempt | None = None
    """The attempt that showed it; None when it cost none."""


@dataclass
class Candidate:
    """One proposal of a healer, and what becomes of it."""

    patch: ArtifactRef | None
    explanation: str = ""
    verdict: AttemptVerdict = "no_patch"
    reason: str = ""
    normal_form: str = ""
    opened: tuple[Opened, ...] = ()
    """What the guard let pass because the policy says so."""
    flaky: tuple[str, ...] = ()
    """Tests that its verification found to be flaky."""
    candidates: int = 0
    """How many patches the search healer ran to come to this one."""
    votes: int = 1
    """How many proposals were the same."""
