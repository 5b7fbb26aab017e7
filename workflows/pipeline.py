"""PipelineWorkflow: one run about one commit of one repository."""

import asyncio

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, ChildWorkflowError
from temporalio.exceptions import is_cancelled_exception as is_cancelled

with workflow.unsafe.imports_passed_through():
    from activities.isolation_report import IsolationQuestion, report_isolation
    from activities.source import SourceRequest, fetch_source
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
    from workflows import audit_events, audit_trail
    from workflows.announcing import Announcer
    from workflows.audit_trail import AuditTrail
    from workflows.calls import call, uninterrupted
    from workflows.details import run_details
    from workflows.failures import one_line
    from workflows.gates import why_failed
    from workflows.line import Line
    from workflows.run_findings import merged_findings
    from workflows.search_attributes import show_state
    from workflows.stage_table import STAGES, Stage
    from workflows.stages import load, security

_GOOD = ("passed", "healed", "skipped")
_REFUSED_SHOWN = 20


@workflow.defn
class PipelineWorkflow:
    """Bring one commit from its source to a release, healing red tests on the way."""

    @workflow.init
    def __init__(self, request: PipelineRequest) -> None:
        audit = AuditTrail(request)
        self._stages = {stage.name: StageReport(name=stage.name) for stage in STAGES}
        self._line = Line(
            workflow.info().workflow_id,
            request,
            show=self._show,
            audit=audit,
            stages=self._stages,
        )
        self._state: RunState = "running"
        self._sandbox = ""
        self._findings: ArtifactRef | None = None
        self._started: dict[str, float] = {}
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
            stages=tuple(self._stages.values()),
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
            await self._run_stages()
            while self._line.begin_again:
                self._line.begin_again = False
                self._stages.update({name: StageReport(name=name) for name in self._stages})
                self._started.clear()
                await self._run_stages()
            verdict = self._verdict()
            self._findings = await merged_findings(self._stages.values())
            if verdict in ("passed", "released"):
                await load.accept(self._line, self._stages["load"])
                await security.accept(self._line, self._stages["security"])
            self._state = verdict
        except (Exception, asyncio.CancelledError) as error:
            self._state = "cancelled" if is_cancelled(error) else "failed"
            self._line.reason = "on request" if self._state == "cancelled" else one_line(error)
            self._close_stages()
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
        fetched = await call(
            "publisher",
            fetch_source,
            SourceRequest(
                repository=request.repository,
                location=request.location,
                ref=request.ref,
                commit=request.commit,
                base=request.base,
            ),
            summary=f"git fetch {request.ref} {request.commit[:12]}",
        )
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

    async def _run_stages(self) -> None:
        waiting = [stage for stage in STAGES if self._wanted(stage)]
        running: dict[asyncio.Task[StageReport], Stage] = {}
        while True:
            ready = [stage for stage in waiting if self._may_start(stage)]
            if self._line.request.step_by_step:
                ready = ready[:1] if not running else []
            for stage in ready:
                waiting.remove(stage)
                # Before the task's first step, so that what is shown next shows it.
                self._started[stage.name] = workflow.time()
                self._stages[stage.name] = StageReport(name=stage.name, running=True)
                running[asyncio.create_task(self._execute(stage))] = stage
            if not running:
                break
            self._show()
            try:
                done, _ = await workflow.wait(running, return_when=asyncio.FIRST_COMPLETED)
            except asyncio.CancelledError:
                for task in running:
                    task.cancel()
                await asyncio.gather(*running, return_exceptions=True)
                raise
            for task in done:
                stage = running.pop(task)
                self._finish(stage, task.result())
        failed = next((r for r in self._stages.values() if r.state == "failed"), None)
        for stage in waiting:
            reason = f"not reached: {failed.name} failed" if failed else "not reached"
            self._finish(stage, StageReport(name=stage.name, state="skipped", summary=reason))

    def _wanted(self, stage: Stage) -> bool:
        if not self._line.request.heal_only or stage.heals:
            return True
        self._finish(stage, StageReport(name=stage.name, state="skipped", summary="only healing"))
        return False

    def _may_start(self, stage: Stage) -> bool:
        return all(self._stages[name].state in _GOOD for name in stage.after)

    async def _execute(self, stage: Stage) -> StageReport:
        try:
            return await stage.execute(self._line)
        except (ActivityError, ChildWorkflowError) as error:
            if is_cancelled(error):
                raise
            return StageReport(name=stage.name, state="failed", summary=one_line(error))

    def _finish(self, stage: Stage, report: StageReport) -> None:
        started = self._started.get(stage.name)
        seconds = 0.0 if started is None else round(workflow.time() - started, 3)
        self._stages[stage.name] = report.model_copy(update={"seconds": seconds})
        audit_events.stage_ended(self._line.audit, self._stages[stage.name])

    def _close_stages(self) -> None:
        cancelled = self._state == "cancelled"
        for name, report in self._stages.items():
            if report.state is None:
                state = "cancelled" if cancelled and report.running else "skipped"
                update = {"state": state, "running": False}
                self._stages[name] = report.model_copy(update=update)
                audit_events.stage_ended(self._line.audit, self._stages[name])

    def _verdict(self) -> RunState:
        if self._line.ended_as is not None:
            return self._line.ended_as
        failed = [report for report in self._stages.values() if report.state == "failed"]
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
    "publisher": [fetch_source, *audit_trail.ACTIVITIES["publisher"]],
    "runner": [report_isolation],
}
