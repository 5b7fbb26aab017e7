"""What the tests of a test stage share: a stage that is red, and how it is run."""

import pytest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from regreen.contracts.test_stage import TestStageResult
from regreen.pipeline_file import Pipeline
from tests.workflow.running import RunStage, run_stage
from tests.workflow.sample_answers import ALL_GREEN, RED, red
from tests.workflow.scripted_activities import Script, serving


@pytest.fixture
def script() -> Script:
    """A unit stage with one test that fails each time, which the first patch mends."""
    made = Script(ALL_GREEN)
    made.answer("run_tests", red(RED))
    return made


@pytest.fixture
def run(env: WorkflowEnvironment, worker_client: Client, script: Script) -> RunStage:
    """Runs the unit stage of a pipeline against the script."""

    async def to_its_end(pipeline: Pipeline, **more: tuple[str, ...]) -> TestStageResult:
        async with serving(worker_client, script):
            return await run_stage(env.client, pipeline, **more)

    return to_its_end
