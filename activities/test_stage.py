"""The runner's activities of a test stage: run the tests, tell kinds of failure apart."""

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.environment import EnvironmentFailed, environment_of
from activities.healing.failure_signature import failure_signature
from activities.healing.triage import infrastructure_reason
from activities.sandbox import require_isolation
from activities.stage_tests import run_stage_tests
from activities.workspace import checked_out
from regreen.contracts.run import StageRequest
from regreen.contracts.testing import TestReport, Triage
from regreen.pipeline_file import TestSection

_RERUNS = 2


class TriageRequest(StageRequest):
    """A red report to be understood before any code is touched."""

    report: TestReport


def section_of(request: StageRequest) -> TestSection:
    """The pipeline file's section of a test stage."""
    section = request.pipeline.tests(request.stage)
    if section is None:
        raise ApplicationError(
            f"{request.stage} is not a test stage", type="UnknownStage", non_retryable=True
        )
    return section


@activity.defn
async def run_tests(request: StageRequest) -> TestReport:
    """Run the stage's tests with coverage. Failing tests are a result."""
    section = section_of(request)
    require_isolation(request.pipeline.sandbox == "required")
    async with checked_out(request.workspace) as copy:
        try:
            environment = await environment_of(request.workspace, request.pipeline, copy)
        except EnvironmentFailed as error:
            raise ApplicationError(str(error), type="EnvironmentFailed") from error
        return await run_stage_tests(
            copy, environment, section, subject=request.stage, coverage=True, keep=True
        )


@activity.defn
async def triage_failures(request: TriageRequest) -> Triage:
    """Run the failing tests again, alone where that can be: only what fails each time is healed."""
    failures = request.report.failures
    ids = [failure.node_id for failure in failures]
    flaky: set[str] = set()
    async with checked_out(request.workspace) as copy:
        reason = infrastructure_reason(copy, failures)
        if reason:
            return Triage(kind="infrastructure", reason=reason)
        environment = await environment_of(request.workspace, request.pipeline, copy)
        for number in range(1, _RERUNS + 1):
            report = await run_stage_tests(
                copy,
                environment,
                section_of(request),
                subject=f"{request.stage}: {len(ids)} failing, again, {number} of {_RERUNS}",
                node_ids=ids,
            )
            red = {failure.node_id for failure in report.failures}
            if report.outcome in ("passed", "failed"):
                flaky |= set(ids) - red
    failing = tuple(node_id for node_id in ids if node_id not in flaky)
    if not failing:
        return Triage(
            kind="flaky", reason="every failing test passed when run again", flaky=tuple(ids)
        )
    return Triage(
        kind="reproducible",
        reason=f"{len(failing)} of {len(ids)} fail each time",
        failing=failing,
        flaky=tuple(node_id for node_id in ids if node_id in flaky),
        signature=failure_signature(request.stage, failures, failing),
    )
