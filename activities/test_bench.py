"""A place to run tests again and again: one checkout, and a `/tmp` that lasts between the runs."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from activities.environment import environment_of
from activities.stage_tests import run_stage_tests
from activities.workspace import checked_out, private_folder
from regreen.contracts.source import Workspace
from regreen.contracts.testing import TestReport
from regreen.pipeline_file import Pipeline, TestSection


@dataclass(frozen=True)
class TestBench:
    """A checked-out workspace, its environment, and what tests left behind outside of it."""

    __test__ = False

    copy: Path
    environment: Path | None
    section: TestSection
    scratch: Path
    """Shown as `/tmp` and home in every run, so that a test which counts its runs can."""

    async def run(self, node_ids: Sequence[str], subject: str) -> TestReport:
        """Run these tests, or the whole stage when there are none."""
        return await run_stage_tests(
            self.copy,
            self.environment,
            self.section,
            subject=subject,
            node_ids=node_ids,
            scratch=self.scratch,
        )


@contextlib.asynccontextmanager
async def fresh_bench(
    workspace: Workspace, pipeline: Pipeline, section: TestSection
) -> AsyncIterator[TestBench]:
    """A bench that nothing has run on yet, removed at the end."""
    async with checked_out(workspace) as copy:
        environment = await environment_of(workspace, pipeline, copy)
        with private_folder() as scratch:
            yield TestBench(copy, environment, section, scratch)
