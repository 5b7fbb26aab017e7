"""What a run's audit record says of each thing that happens: names, states, digests, figures.

Messages of tests stay out: they may quote source text, or print a secret.
"""

import contextlib
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue

    from regreen.contracts.gates import GateVerdict
    from regreen.contracts.healing import Attempt
    from regreen.contracts.run import (
        PipelineRequest,
        PullRequest,
        Release,
        Review,
        RunReport,
        SourceFetched,
        StageReport,
    )
    from regreen.contracts.test_stage import StageAttempt
    from workflows.audit_trail import AuditTrail

_MOST_NAMES = 20


def run_started(audit: AuditTrail, request: PipelineRequest) -> None:
    """The run began."""
    # Where the repository lies may hold a password.
    asked = request.model_dump(mode="json", exclude={"location"})
    audit.record("run-started", f"{request.repository} {request.ref}", **asked)


def source_fetched(audit: AuditTrail, fetched: SourceFetched) -> None:
    """The commit was fetched."""
    source = fetched.source
    audit.record(
        "source-fetched",
        f"commit {source.commit[:12]}, tree {source.tree[:12]}",
        commit=source.commit,
        tree=source.tree,
        bundle=source.bundle.sha256,
        pipeline_file=fetched.pipeline_sha256,
    )
    audit.flush()


def stage_ended(audit: AuditTrail, report: StageReport) -> None:
    """A stage has its state."""
    fields: dict[str, Any] = {
        "stage": report.name,
        "state": report.state,
        "seconds": report.seconds,
    }
    summary = report.summary
    if report.triage is not None:
        triage = report.triage
        summary = f"{triage.kind}: {triage.reason}"
        fields["failing"] = list(triage.failing[:_MOST_NAMES])
    if report.attempts:
        fields["attempts"] = len(report.attempts)
    if report.quarantined:
        fields["quarantined"] = list(report.quarantined[:_MOST_NAMES])
    if report.gates:
        fields["gates"] = [_gate(gate) for gate in report.gates]
    audit.record("stage-ended", f"{report.name} {report.state}: {summary}", **fields)


def heal_attempted(audit: AuditTrail, stage: str, attempt: Attempt) -> None:
    """A healer made an attempt."""
    audit.record(
        "heal-attempted",
        f"{stage}, attempt {attempt.number}: {attempt.verdict}",
        actor=attempt.healer,
        stage=stage,
        number=attempt.number,
        verdict=attempt.verdict,
        reason=attempt.reason,
        patch=None if attempt.patch is None else attempt.patch.sha256,
        prompts=list(attempt.prompts),
        model=attempt.model,
        candidates=attempt.candidates,
        tokens=attempt.tokens,
        cost_usd=attempt.cost_usd,
        seconds=attempt.seconds,
        opened=[f"{each.rule} at {each.path}: {each.reason}" for each in attempt.opened],
    )


def pull_request_published(
    audit: AuditTrail, before: PullRequest | None, published: PullRequest
) -> None:
    """The pull request was opened, or has a new head."""
    opened = before is None or before.number != published.number
    audit.record(
        "pull-request-opened" if opened else "pull-request-updated",
        f"#{published.number} from {published.branch}",
        **published.model_dump(mode="json", include={"number", "branch", "head", "tree"}),
    )


def review_received(audit: AuditTrail, review: Review) -> None:
    """A person's review came in, and is to be weighed."""
    _reviewed(audit, "review-received", review, review.comment)


def review_refused(audit: AuditTrail, review: Review, reason: str) -> None:
    """A person's review does not count, and why."""
    _reviewed(audit, "review-refused", review, reason)


def _reviewed(audit: AuditTrail, action: str, review: Review, detail: str) -> None:
    audit.record(
        action,
        detail,
        actor=review.reviewer,
        decision=review.decision,
        source=review.source,
        delivery_id=review.delivery_id,
        tree=review.tree,
        commit=review.commit,
    )
    audit.flush()


def released(audit: AuditTrail, release: Release) -> None:
    """A release was published and found good."""
    audit.record(
        "released",
        f"{release.tag}{f'; NOT SIGNED: {release.unsigned}' if release.unsigned else ''}",
        version=release.version,
        tag=release.tag,
        sums=release.sums,
        public_key=release.public_key,
        identity=release.identity,
        unsigned=release.unsigned,
        targets=[receipt.model_dump(mode="json") for receipt in release.receipts],
    )


def run_ended(audit: AuditTrail, report: RunReport) -> None:
    """The run has its verdict."""
    reason = report.reason
    red = [stage.name for stage in report.stages if stage.state == "failed" and stage.triage]
    if report.state == "failed" and red:
        reason = f"{red[0]} failed"
    told = f"{report.state}: {reason}" if reason else report.state
    audit.record("run-ended", told, state=report.state, tree=report.tree)


async def tell_run(stage: str, attempt: Attempt) -> None:
    """Let the run of a test stage know of an attempt at once, however the stage may end."""
    run = workflow.info().parent
    if run is not None:
        handle = workflow.get_external_workflow_handle(run.workflow_id, run_id=run.run_id)
        # A run that is gone does not need to know.
        with contextlib.suppress(ApplicationError):
            await handle.signal("attempted", StageAttempt(stage=stage, attempt=attempt))


def _gate(gate: GateVerdict) -> JsonValue:
    waived: list[JsonValue] = [
        {
            "rule": each.finding.rule,
            "place": each.finding.place,
            "owner": each.waiver.owner,
            "expires": each.waiver.expires,
            "document": each.waiver.document,
        }
        for each in gate.waived
    ]
    return {
        "gate": gate.gate,
        "state": gate.state,
        "examined": gate.examined,
        "blocking": len(gate.blocking),
        "waived": waived,
    }
