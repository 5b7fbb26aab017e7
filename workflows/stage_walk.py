"""The walk through the table of stages: each starts once those that it comes after ended well."""

import asyncio

from temporalio import workflow
from temporalio.exceptions import ActivityError, ChildWorkflowError
from temporalio.exceptions import is_cancelled_exception as is_cancelled

with workflow.unsafe.imports_passed_through():
    from regreen.contracts.run import StageReport
    from workflows import audit_events
    from workflows.failures import one_line
    from workflows.line import Line
    from workflows.stage_table import STAGES, Stage

_GOOD = ("passed", "healed", "skipped")


class StageWalk:
    """Runs a run's stages and keeps their reports in `line.stages`."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._started: dict[str, float] = {}

    async def go(self) -> None:
        """Run the stages, and all of them again as often as the run goes on with another source.

        What fails in a stage is in its report, not raised.
        """
        await self._run_stages()
        while self._line.begin_again:
            self._line.begin_again = False
            stages = self._line.stages
            stages.update({name: StageReport(name=name) for name in stages})
            self._started.clear()
            await self._run_stages()

    def close(self, *, cancelled: bool) -> None:
        """End the stages that have no verdict, after a walk that came to no end."""
        for name, report in self._line.stages.items():
            if report.state is None:
                state = "cancelled" if cancelled and report.running else "skipped"
                update = {"state": state, "running": False}
                self._line.stages[name] = report.model_copy(update=update)
                audit_events.stage_ended(self._line.audit, self._line.stages[name])

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
                self._line.stages[stage.name] = StageReport(name=stage.name, running=True)
                running[asyncio.create_task(self._execute(stage))] = stage
            if not running:
                break
            self._line.show()
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
        reports = self._line.stages.values()
        failed = next((report for report in reports if report.state == "failed"), None)
        for stage in waiting:
            reason = f"not reached: {failed.name} failed" if failed else "not reached"
            self._finish(stage, StageReport(name=stage.name, state="skipped", summary=reason))

    def _wanted(self, stage: Stage) -> bool:
        if not self._line.request.heal_only or stage.heals:
            return True
        self._finish(stage, StageReport(name=stage.name, state="skipped", summary="only healing"))
        return False

    def _may_start(self, stage: Stage) -> bool:
        return all(self._line.stages[name].state in _GOOD for name in stage.after)

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
        self._line.stages[stage.name] = report.model_copy(update={"seconds": seconds})
        audit_events.stage_ended(self._line.audit, self._line.stages[stage.name])
