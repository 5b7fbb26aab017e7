"""Starting runs and test stages against a script, and asking them how they are."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError, CancelledError

from regreen.contracts.audit import AuditEvent
from regreen.contracts.run import PipelineRequest, Review, RunReport
from regreen.contracts.source import Workspace
from regreen.contracts.test_stage import TestStageRequest, TestStageResult
from regreen.pipeline_file import Pipeline
from regreen.roles import task_queue
from starters import runs
from tests.workflow.sample_answers import SOURCE, request
from tests.workflow.scripted_activities import Script
from workflows.pipeline import PipelineWorkflow
from workflows.run_start import workflow_id
from workflows.test_stage import TestStageWorkflow

Run = WorkflowHandle[PipelineWorkflow, RunReport]
Stage = WorkflowHandle[TestStageWorkflow, TestStageResult]
RunStage = Callable[..., Awaitable[TestStageResult]]
"""What the fixture `run` gives: `run_stage` against the test's script."""


async def start_run(client: Client, **changes: Any) -> Run:
    """Start a run of its own repository."""
    return await start(client, request(**({"repository": f"example/{uuid.uuid4()}"} | changes)))


async def start(client: Client, wanted: PipelineRequest) -> Run:
    """Start this very run."""
    assert await runs.start(client, wanted)
    return client.get_workflow_handle_for(PipelineWorkflow.run, workflow_id(wanted))


async def start_stage(
    client: Client, pipeline: Pipeline, *, earlier: tuple[str, ...] = ()
) -> Stage:
    """Start the unit stage alone."""
    return await client.start_workflow(
        TestStageWorkflow.run,
        TestStageRequest(
            stage="unit",
            workspace=Workspace(source=SOURCE),
            pipeline=pipeline,
            earlier_stages=earlier,
        ),
        id=f"stage/{uuid.uuid4()}",
        task_queue=task_queue("orchestrator"),
    )


async def run_stage(
    client: Client, pipeline: Pipeline, *, earlier: tuple[str, ...] = ()
) -> TestStageResult:
    """Run the unit stage alone, to its end."""
    stage = await start_stage(client, pipeline, earlier=earlier)
    return await stage.result()


async def report_of(run: Run) -> RunReport:
    """The run's report, asked with its query."""
    return await run.query(PipelineWorkflow.report)


async def waiting(run: Run) -> RunReport:
    """The report of the run once it waits for a person."""
    while (report := await report_of(run)).state != "waiting":
        assert report.state == "running", report
        await asyncio.sleep(0.02)
    return report


async def send(run: Run, decision: str, **more: str) -> None:
    """Send a review."""
    review = Review.model_validate({"reviewer": "Ada", "decision": decision} | more)
    await run.signal(PipelineWorkflow.review, review)


async def failure_of(run: Run) -> tuple[str, RunReport]:
    """The type of the error with which the run ends, and the report that it carries."""
    try:
        report = await run.result()
    except WorkflowFailureError as error:
        assert isinstance(error.cause, ApplicationError), error.cause
        carried = RunReport.model_validate(error.cause.details[0])
        assert error.cause.message == carried.reason
        return str(error.cause.type), carried
    raise AssertionError(f"the run ended well: {report}")


async def cancel(run: Run) -> None:
    """Cancel the run and wait for its end, so that it leaves nothing to other tests' workers."""
    await run.cancel()
    try:
        await run.result()
    except WorkflowFailureError as error:
        assert isinstance(error.cause, CancelledError), error.cause
        return
    raise AssertionError("the run ended before it was cancelled")


def recorded(script: Script, *actions: str) -> list[AuditEvent]:
    """What audit records were told so far, in order; with `actions` only of these."""
    written = [*script.given("append_audit"), *script.given("seal_audit")]
    events = [event for each in written for event in each.events]
    return [event for event in events if not actions or event.action in actions]


async def current_details(workflow: Run | Stage) -> str:
    """What the Temporal UI shows as the workflow's current details."""
    metadata = await workflow.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
    return str(metadata.current_details).replace("\u00a0", " ")


async def attributes_of(run: Run) -> dict[str, Any]:
    """The run's search attributes by name."""
    found = (await run.describe()).typed_search_attributes
    return {pair.key.name: pair.value for pair in found}


def states(report: RunReport) -> dict[str, str | None]:
    """The state of every stage."""
    return {stage.name: stage.state for stage in report.stages}


def verdicts(result: TestStageResult) -> list[tuple[int, str, str]]:
    """Number, healer and verdict of every attempt."""
    return [(each.number, each.healer, each.verdict) for each in result.attempts]
