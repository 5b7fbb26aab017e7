"""The state of one run that its stages read and add to."""

from collections.abc import Callable
from dataclasses import dataclass, field

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from regreen.contracts.artifacts import ArtifactRef
    from regreen.contracts.checklist import Checklist
    from regreen.contracts.gates import GateVerdict
    from regreen.contracts.healing import Heal
    from regreen.contracts.release_plan import ReleasePlan
    from regreen.contracts.run import (
        PipelineRequest,
        PullRequest,
        Release,
        Review,
        RunState,
        StageReport,
        StageRequest,
        StageVerdict,
    )
    from regreen.contracts.source import Source, Workspace
    from regreen.pipeline_file import Pipeline


@dataclass
class Line:
    """A run between its source and its end."""

    workflow_id: str
    request: PipelineRequest
    show: Callable[[], None]
    """Bring the UI up to date; for a stage whose state changes while it runs."""
    stages: dict[str, StageReport] = field(default_factory=dict)
    """What the run's stages have reported so far."""
    pipeline: Pipeline = field(default_factory=Pipeline)
    source: Source | None = None
    workspace: Workspace | None = None
    green_tests: list[str] = field(default_factory=list)
    """Test stages that have passed, in order."""
    quarantined: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Their flaky tests, by stage: they count neither now nor when later patches are verified."""
    heals: list[Heal] = field(default_factory=list)
    coverage: dict[str, ArtifactRef] = field(default_factory=dict)
    """By test stage: what it ran of the code, as coverage.py's JSON report."""
    measured_on: dict[str, str] = field(default_factory=dict)
    """By test stage: the fingerprint of the workspace that it measured."""
    waived: list[GateVerdict] = field(default_factory=list)
    """Gates that pass only because of waivers, and until when."""
    packages: list[ArtifactRef] = field(default_factory=list)
    """Wheel, sdist and bills of materials; built once and never again."""
    pull_request: PullRequest | None = None
    plan: ReleasePlan | None = None
    checklist: Checklist | None = None
    """Of the planned release, as far as it is known."""
    nothing_to_release: str = ""
    """Why a configured release has no plan."""
    release: Release | None = None
    reviews: list[Review] = field(default_factory=list)
    waiting_for: str = ""
    """What a person can do now; empty when the run does not wait for one."""
    ended_as: RunState | None = None
    """Set by a stage that ends the run otherwise than by failing."""
    reason: str = ""

    def stage_request(self, stage: str) -> StageRequest:
        """What the stage's activity is given."""
        return StageRequest(
            stage=stage,
            workspace=self.tree,
            pipeline=self.pipeline,
            reuse=self.request.reuse,
        )

    @property
    def decision(self) -> Review | None:
        """The first review that approves or rejects what waits; None while there is none.

        A review that names another tree than the one that waits does not count.
        """
        waiting = self.pull_request.tree if self.pull_request else self.tree.source.tree
        for review in self.reviews:
            if review.decision != "comment" and review.tree in ("", waiting):
                return review
        return None

    @property
    def tree(self) -> Workspace:
        """The workspace as healed so far."""
        assert self.workspace is not None, "no stage runs before the source step"
        return self.workspace

    def judged(self, stage: str, *verdicts: StageVerdict) -> StageReport:
        """The stage's report from the verdicts of its activities.

        It failed if any failed; it is skipped if all were. A missing tool that `require` names,
        by its own name or the stage's, is a failure.
        """
        states = []
        for verdict in verdicts:
            required = {verdict.missing_tool, stage} & set(self.pipeline.require)
            missing = verdict.missing_tool and required
            states.append("failed" if missing else verdict.state)
        order = ("failed", "passed", "skipped")
        return StageReport(
            name=stage,
            state=next(state for state in order if state in states),
            summary="; ".join(
                f"{verdict.summary} (reused from {verdict.reused})"
                if verdict.reused
                else verdict.summary
                for verdict in verdicts
            ),
            artifacts=tuple(ref for verdict in verdicts for ref in verdict.artifacts),
            reused=tuple(f"{stage}: {verdict.reused}" for verdict in verdicts if verdict.reused),
        )
