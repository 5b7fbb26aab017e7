"""How many candidates a second the search healer tries, against one pytest process for each."""

import asyncio
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from activities.environment import ensure_environment
from activities.healing.search.engine import search
from activities.healing.search.request import SearchRequest
from activities.pytest_run import run_pytest
from activities.test_stage import run_tests
from activities.workspace import checked_out, private_folder
from benchmarks.healing_corpus.cases import STAGE
from benchmarks.healing_corpus.pristine import as_source, test_requirements
from regreen.contracts.run import StageRequest
from regreen.contracts.source import Workspace
from regreen.pipeline_file import TestSection

_SIDE_BY_SIDE = 2
_PROCESSES = 12

# No edit of this program gives what the test asks for, so that every candidate is run.
_FUNCTION = """
def step_{number}(values, limit):
    total = {number}
    for position, value in enumerate(values):
        if value > limit and position % 3 != 1:
            total += value * (position + {number})
        elif value < 0 or limit == {number}:
            total -= abs(value) // 2
    return total % 9973
"""
_FUNCTIONS = 6
_TEST = """
from program import run


def test_run():
    assert run(list(range(12)), 5) == "no number at all"
"""


@dataclass(frozen=True)
class Rates:
    """Candidates a second, two side by side in both."""

    healer: float
    processes: float
    candidates: int
    """How many the healer tried."""
    seconds: float
    """How long it took, with measuring the suite and starting its servers."""


async def candidate_rate(seconds: float) -> Rates:
    """Let the healer search for `seconds` where there is nothing to find, then count processes."""
    with private_folder() as folder:
        tree = folder / "rate"
        tree.mkdir()
        _write(tree)
        fetched = await as_source(tree, "rate")
    workspace = Workspace(source=fetched.source)
    report = await run_tests(
        StageRequest(stage=STAGE, workspace=workspace, pipeline=fetched.pipeline)
    )
    async with checked_out(workspace) as copy:
        environment = await ensure_environment(workspace, fetched.pipeline, copy)
        started = time.monotonic()
        result = await search(
            SearchRequest(
                workspace=copy,
                environment=environment,
                failing=tuple(each.node_id for each in report.failures),
                failures=report.failures,
                seconds=seconds,
                servers=_SIDE_BY_SIDE,
            )
        )
        passed = time.monotonic() - started
        processes = await _process_rate(copy, environment)
    return Rates(result.candidates / passed, processes, result.candidates, passed)


async def _process_rate(copy: Path, environment: Path) -> float:
    """One pytest process for each candidate, in the same sandbox, on the failing test only."""
    section = TestSection()

    async def work(number: int) -> None:
        with private_folder() as folder:
            own = folder / "workspace"
            await asyncio.to_thread(shutil.copytree, copy, own)
            for turn in range(_PROCESSES // _SIDE_BY_SIDE):
                results = folder / f"results-{turn}"
                results.mkdir()
                await run_pytest(
                    own, environment, results, section, subject=f"candidate {number}-{turn}"
                )

    started = time.monotonic()
    await asyncio.gather(*(work(number) for number in range(_SIDE_BY_SIDE)))
    return _PROCESSES / (time.monotonic() - started)


def _write(tree: Path) -> None:
    functions = "".join(_FUNCTION.format(number=number) for number in range(_FUNCTIONS))
    calls = " + ".join(f"step_{number}(values, limit)" for number in range(_FUNCTIONS))
    program = f"{functions}\n\ndef run(values, limit):\n    return {calls}\n"
    (tree / "program.py").write_text(program, "utf-8")
    (tree / "test_program.py").write_text(_TEST, "utf-8")
    (tree / "pytest.ini").write_text("[pytest]\n")
    (tree / "requirements.txt").write_bytes(test_requirements())
