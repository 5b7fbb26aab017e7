"""What a run tells AnnouncementWorkflow: an announcement for each change of its report."""

import asyncio
import contextlib
import itertools
from functools import partial

from temporalio import workflow
from temporalio.exceptions import FailureError, WorkflowAlreadyStartedError
from temporalio.workflow import ChildWorkflowHandle

with workflow.unsafe.imports_passed_through():
    from regreen.contracts.announcement import (
        FINAL,
        Announcement,
        AnnouncementKind,
        AnnouncementRequest,
    )
    from regreen.contracts.run import RunReport, SourceFetched, StageReport
    from regreen.roles import task_queue
    from workflows.announcement_content import announcement_of
    from workflows.announcements import AnnouncementWorkflow
    from workflows.failures import one_line


class Announcer:
    """Compares a run's reports, and tells what is new to the run's AnnouncementWorkflow.

    Nothing of it waits for a place, and nothing of it fails a run. Where nobody is to be told it
    does nothing at all.
    """

    def __init__(self) -> None:
        self._queue: list[Announcement] = []
        self._stages: dict[str, str] = {}
        self._waits_for = ""
        self._of_stages = False
        self._delivery: asyncio.Task[None] | None = None

    def begin(self, fetched: SourceFetched, report: RunReport) -> None:
        """Start to tell, if the operator has named places or the forge shows checks."""
        if not fetched.announces and fetched.forge == "local":
            return
        self._of_stages = fetched.forge != "local"
        request = AnnouncementRequest(
            announces=fetched.announces,
            forge=fetched.forge,
            location=report.request.location,
            first=announcement_of("started", report, key=f"{report.run_id}/started"),
        )
        self._delivery = asyncio.create_task(self._deliver(request))

    def see(self, report: RunReport) -> None:
        """Tell what the report says that the one before did not."""
        if self._delivery is None or any(each.kind in FINAL for each in self._queue):
            return
        for stage in report.stages:
            state = stage.state or ("running" if stage.running else "")
            if state != self._stages.get(stage.name, ""):
                self._stages[stage.name] = state
                if self._of_stages:
                    self._add("stage", report, f"{stage.name}/{state}", stage)
                if state == "healed":
                    self._add("healed", report, stage.name, stage)
        waits_for = report.reason if report.state == "waiting" else ""
        if waits_for and waits_for != self._waits_for:
            self._add("waiting", report, str(len(self._queue)))
        self._waits_for = waits_for
        if report.state in FINAL:
            self._add(report.state, report, "")

    async def end(self) -> None:
        """Return when AnnouncementWorkflow has got everything; the server's affair, not a place's.

        What a workflow sends as it ends is not delivered.
        """
        while self._delivery is not None and not self._delivery.done():
            # The run has its verdict: a cancellation comes too late for it.
            with contextlib.suppress(asyncio.CancelledError):
                await workflow.wait([self._delivery])

    def _add(
        self, kind: AnnouncementKind, report: RunReport, name: str, stage: StageReport | None = None
    ) -> None:
        key = f"{report.run_id}/{kind}/{name}".rstrip("/")
        self._queue.append(announcement_of(kind, report, key=key, stage=stage))

    async def _deliver(self, request: AnnouncementRequest) -> None:
        try:
            child = await _started(request)
            for number in itertools.count():
                await workflow.wait_condition(partial(self._has, number))
                await child.signal(AnnouncementWorkflow.announce, self._queue[number])
                if self._queue[number].kind in FINAL:
                    return
        except FailureError as error:
            workflow.logger.warning("the run is not announced any more: %s", one_line(error))

    def _has(self, number: int) -> bool:
        return number < len(self._queue)


async def _started(request: AnnouncementRequest) -> ChildWorkflowHandle[AnnouncementWorkflow, str]:
    info = workflow.info()
    try:
        return await _start(request, f"{info.workflow_id}/announcements")
    except WorkflowAlreadyStartedError:
        # An earlier run of this commit has places that it could not tell yet.
        return await _start(request, f"{info.workflow_id}/announcements/{info.run_id}")


async def _start(
    request: AnnouncementRequest, workflow_id: str
) -> ChildWorkflowHandle[AnnouncementWorkflow, str]:
    return await workflow.start_child_workflow(
        AnnouncementWorkflow.run,
        request,
        id=workflow_id,
        task_queue=task_queue("orchestrator"),
        parent_close_policy=workflow.ParentClosePolicy.ABANDON,
        cancellation_type=workflow.ChildWorkflowCancellationType.ABANDON,
        static_summary="announcements",
    )
