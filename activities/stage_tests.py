"""The one place that decides how a stage's tests run: by pytest, or by the stage's command."""

from collections.abc import Sequence
from pathlib import Path

from activities.command_tests import run_command_tests
from activities.pytest_run import run_pytest, test_sandbox
from activities.sandbox import with_scratch
from activities.workspace import private_folder
from regreen.contracts.testing import TestReport
from regreen.pipeline_file import TestSection


async def run_stage_tests(
    copy: Path,
    environment: Path | None,
    section: TestSection,
    *,
    subject: str,
    node_ids: Sequence[str] = (),
    coverage: bool = False,
    omit: Sequence[str] = (),
    keep: bool = False,
    original: TestReport | None = None,
    scratch: Path | None = None,
) -> TestReport:
    """Run a stage's tests in a checked-out workspace; see `run_pytest` and `run_command_tests`.

    `environment` is what `environment_of` gives. Coverage is measured where pytest runs. `scratch`
    becomes `/tmp` and home, and keeps what tests leave there for the next run.
    """
    subject = f"{section.tool} {subject}"
    with private_folder() as folder:
        if section.runs_pytest:
            assert environment is not None, "a stage of pytest needs the environment"
            return await run_pytest(
                copy,
                environment,
                folder,
                section,
                subject=subject,
                node_ids=node_ids,
                coverage=coverage,
                omit=omit,
                keep=keep,
                original=original,
                scratch=scratch,
            )
        results = folder / "results"
        results.mkdir()
        sandbox = test_sandbox(copy, environment, results)
        return await run_command_tests(
            copy,
            sandbox if scratch is None else with_scratch(sandbox, scratch),
            folder / "output.txt",
            section,
            subject=subject,
            node_ids=node_ids,
            keep=keep,
            original=original,
        )
