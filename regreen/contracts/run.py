"""A run: its request, its stages, its report. `regreen run --json` prints the report."""

from typing import Literal

from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.audit import AuditRecord
from regreen.contracts.base import Contract
from regreen.contracts.checklist import Checklist
from regreen.contracts.gates import GateVerdict
from regreen.contracts.healing import Attempt
from regreen.contracts.receipts import TargetReceipt
from regreen.contracts.release_plan import ReleasePlan
from regreen.contracts.source import Source, Workspace
from regreen.contracts.testing import Triage
from regreen.pipeline_file import Pipeline

RunState = Literal[
    "running", "waiting", "passed", "released", "failed", "rejected", "expired", "cancelled"
]
StageState = Literal["passed", "healed", "failed", "skipped", "cancelled"]


class PipelineRequest(Contract):
    """What starts a run. One commit of one repository has one run."""

    repository: str
    """`owner/name`."""
    location: str
    """A path that the publisher can read, or a clone URL."""
    ref: str
    commit: str
    base: str = ""
    """The branch that the commit's pull request goes to; empty where none is known."""
    heal_only: bool = False
    """Stop after the test stages."""
    step_by_step: bool = False
    """Run independent stages one after another; the benchmark's comparison."""
    reuse: bool = True
    """Whether steps may come back with the results of earlier runs."""


class SourceFetched(Contract):
    """The result of the source step."""

    source: Source
    pipeline: Pipeline
    """The commit's `regreen.yaml`, or the defaults."""
    pipeline_sha256: str = ""
    """SHA-256 of that file; empty where there is none."""
    forge: Literal["local", "github"] = "local"
    """Where the run's pull request is opened."""
    announces: bool = False
    """Whether the operator has named places that are told of runs."""


class StageRequest(Contract):
    """What every stage's activity is given."""

    stage: str
    workspace: Workspace
    pipeline: Pipeline
    reuse: bool = False
    """Whether an earlier result will do, where nothing has changed that it depends on."""


class StageVerdict(Contract):
    """What a stage's activity says. A failed gate is a verdict, not an error."""

    state: Literal["passed", "failed", "skipped"]
    summary: str
    """One line for a person, with figures: `k6: p(95) 41 ms, 812 requests, 0.00 % failed`."""
    artifacts: tuple[ArtifactRef, ...] = ()
    missing_tool: str = ""
    """The tool whose absence made the stage skip."""
    reused: str = ""
    """Where an earlier result came from, in one line; empty when the work was done now."""


class StageReport(Contract):
    """One stage of a run as the report shows it."""

    name: str
    state: StageState | None = None
    """None while the stage has not ended."""
    running: bool = False
    seconds: float = 0.0
    summary: str = ""
    attempts: tuple[Attempt, ...] = ()
    quarantined: tuple[str, ...] = ()
    """Flaky tests whose failures were left aside."""
    triage: Triage | None = None
    """What kind of failure it was; None when no test failed."""
    artifacts: tuple[ArtifactRef, ...] = ()
    gates: tuple[GateVerdict, ...] = ()
    """What its gates say, where it has any."""
    reused: tuple[str, ...] = ()
    """What of it was not done anew, a line each: the tool or stage, and the run it comes from."""


class PullRequest(Contract):
    """The pull request that shows a run's heals to a person."""

    branch: str
    url: str
    number: int
    head: str
    """Commit at the branch's head."""
    tree: str
    """Git's hash of the healed tree; an approval is bound to it."""


class Release(Contract):
    """A published release."""

    version: str
    directory: str
    url: str | None = None
    tag: str
    unsigned: str = ""
    """Why nothing is signed; empty when everything is."""
    sums: str = ""
    """SHA-256 of the release folder's `SHA256SUMS`."""
    public_key: str = ""
    """SHA-256 of the key that verifies it; empty when it is not signed with one."""
    identity: str = ""
    """Who signed it without a key, and the issuer; empty otherwise."""
    receipts: tuple[TargetReceipt, ...] = ()
    """What was found on each target beside the release folder."""


class RefusedReview(Contract):
    """A decision that did not count."""

    reviewer: str
    decision: str
    source: str
    reason: str
    """Why not, in one line."""
    delivery_id: str = ""


class RunReport(Contract):
    """The whole of a run, at any moment."""

    workflow_id: str
    run_id: str
    state: RunState
    request: PipelineRequest
    tree: str = ""
    reason: str = ""
    """Why the run ended as it did, or what it waits for, in one line."""
    sandbox: str = ""
    """`bubblewrap`, or `none: ` and the reason."""
    stages: tuple[StageReport, ...] = ()
    findings: ArtifactRef | None = None
    """What all gates found, as SARIF, once the run has ended; None where no gate was reached."""
    pull_request: PullRequest | None = None
    plan: ReleasePlan | None = None
    checklist: Checklist | None = None
    release: Release | None = None
    approvals: tuple["Review", ...] = ()
    """Approvals that count, of different people."""
    refused_reviews: tuple[RefusedReview, ...] = ()
    """Decisions that did not count, the newest twenty."""
    audit: AuditRecord = AuditRecord()
    """Where the audit record lies, as far as it is written."""


class Review(Contract):
    """A person's decision: the `review` signal. A person can type it into the Temporal UI."""

    reviewer: str
    decision: Literal["approve", "reject", "comment"]
    comment: str = ""
    source: str = "temporal-ui"
    """Where it was given: command-line, webhook, temporal-ui."""
    delivery_id: str = ""
    """Reviews with the same delivery id count once."""
    tree: str = ""
    """Tree hash that was reviewed. When given, it must be the one that waits."""
    commit: str = ""
    """Commit that was reviewed. When given, it must be the head of what waits."""


class Merge(Contract):
    """The run's pull request was merged: the `merged` signal."""

    commit: str
    """The commit that the merge made."""
    merged_by: str
    source: str = "webhook"
    delivery_id: str = ""


class BaseMoved(Contract):
    """The ref that the run is about has a new commit: the `base_moved` signal."""

    commit: str
