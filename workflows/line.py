"""The state of one run that its stages read and add to."""

from collections.abc import Callable
from dataclasses import dataclass, field

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from regreen.contracts.artifacts import ArtifactRef
    from regreen.contracts.checklist import Checklist
    from regreen.contracts.gates import GateVerdict
    from regreen.contracts.healing import Attempt, Heal
    from regreen.contracts.release_plan import ReleasePlan
    from regreen.contracts.run import (
        Merge,
        PipelineRequest,
        PullRequest,
        RefusedReview,
        Release,
        Review,
        RunState,
        StageReport,
        StageRequest,
        StageVerdict,
    )
    from regreen.contracts.source import Source, Workspace
    from regreen.pipeline_file import Pipeline
    from workflows import audit_events
    from workflows.audit_trail import AuditTrail


@dataclass
class Line:
    """A run between its source and its end."""

    workflow_id: str
    request: PipelineRequest
    show: Callable[[], None]
    """Bring the UI up to date; for a stage whose state changes while it runs."""
    audit: AuditTrail
    """The run's audit record, told where things happen."""
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
    unhealed_coverage: dict[str, ArtifactRef] = field(default_factory=dict)
    """The same of the tree without any heal, for the stages that ran on it."""
    measured_on: dict[str, str] = field(default_factory=dict)
    """By test stage: the fingerprint of the workspace that it measured."""
    waived: list[GateVerdict] = field(default_factory=list)
    """Gates that pass only because of waivers, and until when."""
    waivers: list[ArtifactRef] = field(default_factory=list)
    """Of each stage that needs some: all of them, as `WeighedGates.waivers`."""
    packages: list[ArtifactRef] = field(default_factory=list)
    """Wheel, sdist and bills of materials; built once and never again."""
    pull_request: PullRequest | None = None
    """The one that is open for the heals."""
    merged_pull_request: PullRequest | None = None
    plan: ReleasePlan | None = None
    checklist: Checklist | None = None
    """Of the planned release, as far as it is known."""
    nothing_to_release: str = ""
    """Why a configured release has no plan."""
    release: Release | None = None
    attempts: dict[str, tuple[Attempt, ...]] = field(default_factory=dict)
    """By test stage: what it has tried on an earlier tree of this run."""
    reviews: list[Review] = field(default_factory=list)
    """Decisions that are not weighed yet, in the order in which they came."""
    approvals: list[Review] = field(default_factory=list)
    """Those that count, of different people."""
    rejection: Review | None = None
    decided: bool = False
    """Whether later decisions come too late."""
    refused_reviews: list[RefusedReview] = field(default_factory=list)
    refusals_told: int = 0
    """How many of those are on the pull request."""
    merges: list[Merge] = field(default_factory=list)
    """Merges of the pull request that are not looked at yet."""
    merge: Merge | None = None
    """The merge whose commit the run goes on with."""
    merged_heals: list[Heal] = field(default_factory=list)
    """Heals that are in the source since it is the merged commit."""
    moved_base: str = ""
    """The commit that the ref has now; empty while it is the run's own."""
    begin_again: bool = False
    """Whether all stages are to run again, since the source is another one now."""
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

    def refuse(self, review: Review, reason: str) -> None:
        """Note that a decision does not count."""
        audit_events.review_refused(self.audit, review, reason)
        self.refused_reviews.append(
            RefusedReview(
                reviewer=review.reviewer,
                decision=review.decision,
                source=review.source,
                reason=reason,
                delivery_id=review.delivery_id,
            )
        )
        self.show()

    def go_on_with(
        self, source: Source, pipeline: Pipeline, patches: tuple[ArtifactRef, ...]
    ) -> None:
        """Put the run on another commit; what was found of the old one is no longer known."""
        self.source = source
        self.pipeline = pipeline
        self.workspace = Workspace(source=source, patches=patches)
        self.green_tests.clear()
        self.quarantined.clear()
        self.coverage.clear()
        self.measured_on.clear()
        self.unhealed_coverage.clear()
        self.waived.clear()
        self.waivers.clear()
        self.packages.clear()
        self.plan = None
        self.checklist = None
        self.nothing_to_release = ""
        self.begin_again = True

    @property
    def all_heals(self) -> tuple[Heal, ...]:
        """Every heal that is in what is released."""
        return (*self.merged_heals, *self.heals)

    @property
    def head(self) -> str:
        """The commit that holds what is tested: the merged one, the heals' or the run's own."""
        if self.pull_request is not None:
            return self.pull_request.head
        return self.source.commit if self.source else self.request.commit

    @property
    def healed_tree(self) -> str:
        """Git's hash of the tree that a person decides about."""
        return self.pull_request.tree if self.pull_request else self.tree.source.tree

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
