"""TestStageWorkflow: one test stage, with its heal loop. All of its state is in its history."""

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.failure_triage import TriageRequest, triage_failures
    from activities.healing.redaction import redact
    from activities.test_stage import run_tests
    from regreen.contracts.artifacts import ArtifactRef
    from regreen.contracts.healing import Attempt, FailedPatch, Heal, HealerName
    from regreen.contracts.run import StageRequest
    from regreen.contracts.test_stage import TestStageRequest, TestStageResult
    from regreen.contracts.testing import TestReport, Triage
    from regreen.roles import Role
    from workflows.audit_events import tell_run
    from workflows.calls import call
    from workflows.failures import one_line
    from workflows.heal_attempt import try_to_heal
    from workflows.heal_evidence import heal_evidence
    from workflows.heal_round import Exhausted, HealRound
    from workflows.model_budget import what_is_left
    from workflows.patch_memory import recall, remember
    from workflows.triage_text import quarantine_clause, triage_lines, upstream_note

_INFRASTRUCTURE_RETRIES = 2
_INFRASTRUCTURE_PAUSE = timedelta(seconds=5)


@workflow.defn
class TestStageWorkflow:
    """Run a stage's tests; when they are red, heal them within the budget."""

    __test__ = False

    @workflow.init
    def __init__(self, request: TestStageRequest) -> None:
        self._request = request
        self._attempts = list(request.earlier_attempts)
        self._failed: list[FailedPatch] = []
        self._triage: Triage | None = None
        self._quarantined: tuple[str, ...] = ()
        self._now = "running the tests"

    @workflow.query(description="The attempts so far, and how the stage ended once it has.")
    def progress(self) -> TestStageResult:
        return TestStageResult(
            summary=self._now,
            attempts=tuple(self._attempts),
            flaky=self._quarantined,
            triage=self._triage,
        )

    @workflow.run
    async def run(self, request: TestStageRequest) -> TestStageResult:
        try:
            return await self._bring_to_green()
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            # A step that cannot be done ends the stage; the attempts made so far stay on record.
            return self._end("failed", one_line(error))

    async def _bring_to_green(self) -> TestStageResult:
        for retries_left in range(_INFRASTRUCTURE_RETRIES, -1, -1):
            report = await self._run_tests()
            if report.outcome == "passed":
                return self._end("passed", _green(report), report)
            if report.outcome == "no_tests":
                return self._end("failed", report.detail, report)
            self._tell(f"triage of {report.failed} failing")
            triage = self._triage = await self._tell_apart(report)
            if triage.kind != "infrastructure" or triage.lasting or not retries_left:
                break
            await workflow.sleep(_INFRASTRUCTURE_PAUSE, summary=f"waiting: {triage.reason}")
        if triage.kind == "infrastructure":
            return self._end("failed", f"infrastructure: {triage.reason}", report)
        if not report.failures:
            self._triage = None
            return self._end("failed", report.detail, report)
        if triage.kind == "flaky":
            return self._flaky(report, triage)
        self._quarantined = triage.flaky
        if triage.upstream and self._request.pipeline.heal.upstream == "fail":
            policy = "not healed: `heal.upstream: fail`"
            return self._end("failed", f"{upstream_note(triage)}{_red(report, triage)}. {policy}")
        return await self._heal(report, triage)

    async def _run_tests(self) -> TestReport:
        stage = self._request.stage
        section = self._request.pipeline.tests(stage)
        limit = (section.timeout if section else 0) + self._request.pipeline.build.timeout
        # Exactly what the activity takes: contracts refuse fields that they do not know.
        request = StageRequest(
            stage=stage,
            workspace=self._request.workspace,
            pipeline=self._request.pipeline,
        )
        tool = section.tool if section else "tests"
        return await call(
            "runner", run_tests, request, summary=f"{tool} {stage}", timeout=limit + 120
        )

    async def _tell_apart(self, report: TestReport) -> Triage:
        request = TriageRequest(
            stage=self._request.stage,
            workspace=self._request.workspace,
            pipeline=self._request.pipeline,
            report=report,
        )
        summary = f"triage {request.stage}: {report.failed} of {report.total} failing, run again"
        section = request.pipeline.tests(request.stage)
        limit = 3 * (section.timeout if section else 0) + 1800
        return await call("runner", triage_failures, request, summary=summary, timeout=limit)

    def _flaky(self, report: TestReport, triage: Triage) -> TestStageResult:
        names = quarantine_clause(triage)
        if report.failed > len(report.failures):
            summary = f"{report.failed} failing, of which only {len(report.failures)} were examined"
            return self._end("failed", f"{summary}; flaky: {names}", report)
        if triage.regressed or self._request.pipeline.heal.flaky == "fail":
            return self._end("failed", f"flaky: {names}", report)
        self._quarantined = triage.flaky
        summary = f"{report.passed} of {report.total} green; quarantined as flaky: {names}"
        return self._end("passed", summary, report)

    async def _heal(self, report: TestReport, triage: Triage) -> TestStageResult:
        budget = self._request.pipeline.heal.budget
        deadline = workflow.time() + budget.seconds
        repository = self._request.workspace.source.repository
        healers = list(self._request.pipeline.healers)
        unavailable: list[str] = []
        if healers and budget.attempts:
            self._failed = await recall(repository, triage.signature)
        while healers and len(self._attempts) < budget.attempts:
            spent = self._spent(healers[0], deadline)
            if spent:
                unavailable.append(f"{healers[0]}: {spent}")
                healers.pop(0)
                continue
            number = len(self._attempts) + 1
            self._tell(f"heal attempt {number} of {budget.attempts} ({healers[0]})")
            heal_round = HealRound(
                self._request,
                report,
                triage,
                earlier=tuple(self._attempts),
                failed=tuple(self._failed),
                deadline=deadline,
            )
            outcome = await try_to_heal(healers[0], number, heal_round)
            if isinstance(outcome, Exhausted):
                unavailable.append(f"{healers[0]}: {outcome.reason}")
                healers.pop(0)
                if outcome.attempt is not None:
                    await self._count(outcome.attempt)
                continue
            attempt = outcome.attempt
            await self._count(attempt)
            self._failed += outcome.failed
            await remember(repository, triage.signature, outcome.failed)
            if outcome.suite is not None:
                return self._healed(attempt, outcome.suite, report, triage)
            if attempt.verdict == "no_patch":
                unavailable.append(f"{healers[0]}: {attempt.reason.rstrip('.')}")
                healers.pop(0)
        if not self._request.pipeline.healers:
            unavailable.append("no healers configured")
        why = "; ".join(unavailable) or f"all {budget.attempts} attempts used"
        red = f"{upstream_note(triage)}{_red(report, triage)}"
        return self._end("failed", f"{red}. Not healed: {why}", report)

    async def _count(self, attempt: Attempt) -> None:
        self._attempts.append(attempt)
        await tell_run(self._request.stage, attempt)

    def _healed(
        self, attempt: Attempt, patched: TestReport, report: TestReport, triage: Triage
    ) -> TestStageResult:
        assert attempt.patch is not None
        found = (name for each in self._attempts for name in each.flaky)
        self._quarantined = tuple(dict.fromkeys((*triage.flaky, *found)))
        heal = Heal(
            stage=self._request.stage,
            healer=attempt.healer,
            explanation=attempt.explanation,
            patch=attempt.patch,
            failing=triage.failing,
            signature=triage.signature,
            normal_form=attempt.normal_form,
            attempts=len(self._attempts),
            tokens=sum(each.tokens for each in self._attempts),
            cost_usd=sum(each.cost_usd for each in self._attempts),
            opened=attempt.opened,
            evidence=heal_evidence(report, triage, patched, self._attempts),
        )
        note = f"{upstream_note(triage)}{report.failed} of {report.total} were failing"
        summary = f"{note}, {triage.reason}; {attempt.explanation}"
        if self._quarantined:
            summary += f"; quarantined as flaky: {', '.join(self._quarantined[:3])}"
        return self._end("healed", summary, patched, heal=heal, unhealed=report.coverage)

    def _spent(self, healer: HealerName, deadline: float) -> str:
        budget = self._request.pipeline.heal.budget
        if workflow.time() >= deadline:
            return f"budget of {budget.seconds:g} seconds used"
        if healer == "search":
            return ""
        left = what_is_left(budget, self._attempts)
        if left.tokens <= 0:
            return f"budget of {budget.tokens} tokens used"
        if left.cost_usd <= 0:
            return f"budget of {budget.cost_usd} USD used"
        return ""

    def _end(
        self,
        state: str,
        summary: str,
        report: TestReport | None = None,
        *,
        heal: Heal | None = None,
        unhealed: ArtifactRef | None = None,
    ) -> TestStageResult:
        self._tell(f"{state}: {summary}")
        kept = (report.log, report.output, report.coverage) if report else ()
        return TestStageResult(
            state=state,  # type: ignore[arg-type]
            summary=summary,
            attempts=tuple(self._attempts),
            heal=heal,
            unhealed_coverage=unhealed,
            flaky=self._quarantined,
            triage=self._triage,
            artifacts=tuple(ref for ref in kept if ref is not None),
        )

    def _tell(self, now: str) -> None:
        self._now = now
        rows = [
            f"| {each.number} | {each.healer} | {each.verdict} | {each.reason} |"
            for each in self._attempts
        ]
        table = ["| attempt | healer | verdict | reason |", "|---|---|---|---|", *rows]
        told = triage_lines(self._triage, self._quarantined)
        workflow.set_current_details("\n".join([f"**{now}**", "", *told, *(table if rows else [])]))


def _red(report: TestReport, triage: Triage) -> str:
    message = {failure.node_id: failure.message for failure in report.failures}
    # A summary is shown in many places, a job's public log among them.
    first = redact((message[triage.failing[0]].splitlines() or [""])[0])[:160]
    red = f"{report.failed} of {report.total} failing, first {triage.failing[0]}: {first}"
    return f"{red} ({triage.reason})"


def _green(report: TestReport) -> str:
    skipped = f", {report.skipped} skipped" if report.skipped else ""
    covered = report.coverage_percent
    coverage = "" if covered is None else f", coverage {covered:.1f} %"
    return f"{report.passed} of {report.total} green{skipped}{coverage}"


WORKFLOWS = [TestStageWorkflow]
ACTIVITIES: dict[Role, list[object]] = {"runner": [run_tests, triage_failures]}
