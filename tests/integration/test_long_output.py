"""Steps that print far more than is kept: the verdict is right, and the log is short."""

import os
from pathlib import Path

import psutil
import pytest

from activities.artifact_store import get_bytes
from activities.build import build_environment
from activities.pytest_run import run_pytest
from activities.test_stage import run_tests
from regreen.contracts.artifacts import ArtifactRef
from regreen.pipeline_file import Pipeline, TestSection
from tests.integration.gate_repository import stage_request

MEGABYTE = 1 << 20
LOUD = "head -c 314572800 /dev/zero | tr '\\0' 'x'"
JUNIT = '<testsuite><testcase classname="a" name="b"/></testsuite>'

pytestmark = pytest.mark.usefixtures("own_state")


async def shortened(kept: ArtifactRef) -> bool:
    """Whether it has the beginning, the end, and what was left out between."""
    return kept.bytes < 9 * MEGABYTE and b"bytes left out" in await get_bytes(kept)


async def test_a_test_that_prints_it(tmp_path: Path, python_environment: Path) -> None:
    copy, results = tmp_path / "copy", tmp_path / "results"
    copy.mkdir()
    results.mkdir()
    (copy / "test_loud.py").write_text(
        "def test_loud():\n    for _ in range(100):\n        print('x' * (1 << 20))\n"
    )

    report = await run_pytest(
        copy, python_environment, results, TestSection(), subject="pytest", keep=True
    )

    assert (report.outcome, report.total) == ("passed", 1)
    assert (results / "report.jsonl").stat().st_size > 100 * MEGABYTE
    assert report.log is not None
    assert await shortened(report.log)


async def test_a_command_that_prints_300_megabytes(tmp_path: Path) -> None:
    command = ("sh", "-c", f"{LOUD}; echo '{JUNIT}' > report.xml")
    pipeline = Pipeline(unit=TestSection(command=command, report="report.xml"))
    request = await stage_request(tmp_path / "loud", "unit", pipeline, [{"README.md": "loud\n"}])
    before = psutil.Process(os.getpid()).memory_info().rss

    report = await run_tests(request)

    assert (report.outcome, report.total) == ("passed", 1)
    assert report.output is not None
    assert await shortened(report.output)
    assert psutil.Process(os.getpid()).memory_info().rss - before < 100 * MEGABYTE


@pytest.mark.usefixtures("shared_environments")
async def test_a_build_back_end_that_prints_it_and_fails(tmp_path: Path) -> None:
    files = {
        "pyproject.toml": (
            "[build-system]\nrequires = []\nbuild-backend = 'loud'\nbackend-path = ['.']\n\n"
            "[project]\nname = 'loud'\nversion = '1'\n"
        ),
        "loud.py": (
            "import sys\n\n\ndef build_editable(*_):\n    for _ in range(50):\n"
            "        sys.stderr.write('x' * (1 << 20) + '\\n')\n"
            "    raise SystemExit('error: no space left')\n"
        ),
    }
    request = await stage_request(tmp_path / "loud", "build", Pipeline(), [files])

    verdict = await build_environment(request)

    assert verdict.state == "failed"
    assert len(verdict.summary) < 600
    assert "\n" not in verdict.summary
    [log] = verdict.artifacts
    assert log.bytes < 9 * MEGABYTE
