"""The runner's activity of a test stage: run its tests."""

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.environment import EnvironmentFailed, environment_of
from activities.sandbox import require_isolation
from activities.stage_tests import run_stage_tests
from activities.workspace import checked_out
from regreen.contracts.run import StageRequest
from regreen.contracts.testing import TestReport
from regreen.pipeline_file import TestSection


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
            copy,
            environment,
            section,
            subject=request.stage,
            coverage=True,
            omit=request.pipeline.coverage.omit if request.pipeline.coverage else (),
            keep=True,
        )
