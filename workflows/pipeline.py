"""PipelineWorkflow: one run about one commit of one repository."""

import asyncio

from temporalio import workflow
from temporalio.exceptions import ApplicationError
from temporalio.exceptions import is_cancelled_exception as is_cancelled

with workflow.unsafe.imports_passed_through():
    from activities.isolation_report import IsolationQuestion, report_isolation
    from regreen.contracts.artifacts import ArtifactRef
    from regreen.contracts.run import (
        BaseMoved,
        Merge,
        PipelineRequest,
        Review,
        RunReport,
        RunState,
        StageReport,
    )
    from regreen.contracts.source import Workspace
    from regreen.contracts.test_stage import StageAttempt
    from regreen.roles import Role
    from workflows import audit_events, audit_trail, source_fetch
    from workflows.announcing import Announcer
    from workflows.audit_trail import AuditTrail
    from workflows.calls import call, uninterrupted
    from workflows.details import run_details
    from workflows.failures import one_line
    from workflows.gates import why_failed
    from workflows.line import Line
    from workflows.run_findings import merged_findings
    from workflows.search_attributes import show_state
    from workflows.source_fetch import fetch
    from workflows.stage_table import STAGES
    from workflows.stage_walk import StageWalk
    from workflows.stages import load, security

_REFUSED_SHOWN = 20


@workflow.defn
class PipelineWorkflow:
    """Bring one commit from its source to a release, healing red tests on the way."""

    @workflow.init
    def __init__(self, request: PipelineRequest) -> None:
        audit = AuditTrail(request)
        self._line = Line(
            workflow.info().workflow_id,
            request,
            show=self._show,
            audit=audit,
            stages={stage.name: StageReport(name=stage.name) for stage in STAGES},
        )
        self._walk = StageWalk(self._line)
        self._state: RunState = "running"
        self._sandbox = ""
        self._findings: ArtifactRef | None = None
        self._deliveries: set[str] = set()
        self._announcer = Announcer()

    @workflow.query(description="The whole of the run, as `regreen run --json` prints it.")
    def report(self) -> RunReport:
        info = workflow.info()
        line = self._line
        waiting = line.waiting_for if self._state == "running" else ""
        return RunReport(
            workflow_id=info.workflow_id,
            run_id=info.run_id,
            state="waiting" if waiting else self._state,
            request=line.request,
            tree=self._tree(),
            reason=waiting or line.reason,
            sandbox=self._sandbox,
            stages=tuple(line.stages.values()),
            findings=self._findings,
            pull_request=line.pull_request or line.merged_pull_request,
            plan=line.plan,
            checklist=line.checklist,
            release=line.release,
            approvals=tuple(line.approvals),
            refused_reviews=tuple(line.refused_reviews[-_REFUSED_SHOWN:]),
            audit=line.audit.state,
        )

    @workflow.signal(description="A person's decision: reviewer, decision (approve or reject).")
    def review(self, review: Review) -> None:
        if review.delivery_id and review.delivery_id in self._deliveries:
            return
        if self._state != "running" or self._line.decided:
            self._line.refuse(review, "it is decided already")
            return
        # What is approved before it can be seen is approved blindly; a rejection is always heard.
        if not self._line.waiting_for and review.decision == "approve":
            self._line.refuse(review, "there is nothing to see yet; approve when the run waits")
            return
        audit_events.review_received(self._line.audit, review)
        self._deliveries.add(review.delivery_id)
        self._line.reviews.append(review)

    @workflow.signal(description="An attempt that a test stage of this run has made.")
    def attempted(self, made: StageAttempt) -> None:
        audit_events.heal_attempted(self._line.audit, made.stage, made.attempt)

    @workflow.signal(description="The run's pull request was merged: commit, merged_by.")
    def merged(self, merge: Merge) -> None:
        if merge.commit not in [known.commit for known in self._line.merges]:
            self._line.merges.append(merge)

    @workflow.signal(description="The ref has a new commit: commit.")
    def base_moved(self, moved: BaseMoved) -> None:
        if moved.commit != self._line.request.commit:
            self._line.moved_base = moved.commit

    @workflow.run
    async def run(self, request: PipelineRequest) -> RunReport:
        audit_events.run_started(self._line.audit, request)
        try:
            await self._fetch()
            await self._walk.go()
            verdict = self._verdict()
            self._findings = await merged_findings(self._line.stages.values())
            if verdict in ("passed", "released"):
                await load.accept(self._line, self._line.stages["load"])
                await security.accept(self._line, self._line.stages["security"])
            self._state = verdict
        except (Exception, asyncio.CancelledError) as error:
            self._state = "cancelled" if is_cancelled(error) else "failed"
            self._line.reason = "on request" if self._state == "cancelled" else one_line(error)
            self._walk.close(cancelled=self._state == "cancelled")
            if self._state == "cancelled":
                await self._end()
                raise
        await self._end()
        report = self.report()
        if self._state in ("passed", "released"):
            return report
        kind = self._state.capitalize()
        raise ApplicationError(
            self._line.reason, report, type=f"Pipeline{kind}", non_retryable=True
        )

    async def _end(self) -> None:
        audit_events.run_ended(self._line.audit, self.report())
        await uninterrupted(self._line.audit.seal())
        self._show()
        # A signal that is sent while a workflow closes is dropped.
        await self._announcer.end()

    async def _fetch(self) -> None:
        request = self._line.request
        fetched = await fetch(request, request.commit)
        audit_events.source_fetched(self._line.audit, fetched)
        self._announcer.begin(fetched, self.report())
        self._line.source = fetched.source
        self._line.pipeline = fetched.pipeline
        self._line.workspace = Workspace(source=fetched.source)
        self._sandbox = await call(
            "runner",
            report_isolation,
            IsolationQuestion(required=fetched.pipeline.sandbox == "required"),
            summary="bubblewrap: is there a sandbox",
            timeout=30,
        )

    def _verdict(self) -> RunState:
        if self._line.ended_as is not None:
            return self._line.ended_as
        failed = [report for report in self._line.stages.values() if report.state == "failed"]
        if failed:
            self._line.reason = f"{failed[0].name}: {why_failed(failed[0])}"
            return "failed"
        return "released" if self._line.release else "passed"

    def _tree(self) -> str:
        line = self._line
        if line.pull_request is not None:
            return line.pull_request.tree
        return line.source.tree if line.source else ""

    def _show(self) -> None:
        report = self.report()
        current = [stage.name for stage in report.stages if stage.running and not stage.state]
        last = [stage.name for stage in report.stages if stage.state and stage.state != "skipped"]
        pull_request = report.pull_request
        show_state(
            report.state,
            current[-1] if current else (last[-1] if last else "source"),
            sum(len(stage.attempts) for stage in report.stages),
            None if pull_request is None else f"#{pull_request.number}",
        )
        workflow.set_current_details(run_details(report))
        self._announcer.see(report)
        if report.state == "waiting":
            # It can take days, and what has happened so far is to be found meanwhile.
            self._line.audit.flush()


WORKFLOWS = [PipelineWorkflow]
ACTIVITIES: dict[Role, list[object]] = {
    "publisher": [
        *source_fetch.ACTIVITIES["publisher"],
        *audit_trail.ACTIVITIES["publisher"],
    ],
    "runner": [report_isolation],
}
