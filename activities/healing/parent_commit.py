"""Whether tests were red on the parent commit already."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from temporalio.exceptions import ApplicationError

from activities.artifact_store import get_bytes
from activities.git import git
from activities.healing.triage import machine_trouble
from activities.test_bench import TestBench
from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.testing import TestFailure
from regreen.pipeline_file import Pipeline


@dataclass(frozen=True)
class ParentRun:
    """What came of running failing tests on the parent commit."""

    commit: str
    """Empty when there is no parent."""
    upstream: tuple[str, ...] = ()
    """The tests that fail there in the same way."""
    no_verdict: str = ""
    """Why nothing can be said, in one line."""


async def run_on_parent(
    bench: TestBench,
    pipeline: Pipeline,
    stage: str,
    failures: Sequence[TestFailure],
    patches: Sequence[ArtifactRef],
) -> ParentRun:
    """Turn a bench to the first parent, with the heals of earlier stages that apply, and run there.

    The bench holds the commit without patches. What cannot be run gives no verdict and no error.
    """
    commit = await _turn_to_parent(bench, patches)
    if not commit:
        return ParentRun("", no_verdict="there is no parent commit")
    # A test that is not there was not red.
    there = [f for f in failures if (bench.copy / f.node_id.partition("::")[0]).exists()]
    if not there:
        return ParentRun(commit)
    subject = f"{stage}: {len(there)} failing on the parent {commit[:12]}"
    report = await bench.run([failure.node_id for failure in there], subject)
    if report.outcome == "broken":
        # pytest runs nothing when it does not know one of the names.
        files = dict.fromkeys(failure.node_id.partition("::")[0] for failure in there)
        report = await bench.run(list(files), f"{subject}, whole files")
    if report.outcome == "broken":
        return ParentRun(commit, no_verdict=f"its tests cannot be run: {report.detail}")
    trouble = machine_trouble(bench.copy, pipeline, report.failures)
    if trouble is not None:
        return ParentRun(commit, no_verdict=f"its tests cannot be run: {trouble.reason}")
    red = {failure.node_id: failure.exception for failure in report.failures}
    same = [f.node_id for f in there if red.get(f.node_id) == f.exception]
    return ParentRun(commit, upstream=tuple(same))


async def green_in_the_parents_stage(
    bench: TestBench, stage: str, tests: Sequence[str], patches: Sequence[ArtifactRef]
) -> tuple[str, ...]:
    """Those of the tests that do not fail when the whole stage runs on the first parent.

    None of them where that cannot be told. For bench and patches see `run_on_parent`.
    """
    commit = await _turn_to_parent(bench, patches)
    if not commit:
        return ()
    report = await bench.run((), f"{stage}: whole stage on the parent {commit[:12]}")
    if report.outcome not in ("passed", "failed") or not report.finished:
        return ()
    red = {failure.node_id for failure in report.failures}
    return tuple(node_id for node_id in tests if node_id not in red)


async def _turn_to_parent(bench: TestBench, patches: Sequence[ArtifactRef]) -> str:
    """Check out the first parent and return its name; empty when there is none."""
    try:
        found = await git(["rev-parse", "--verify", "--quiet", "HEAD^1"], cwd=bench.copy)
        commit = found.decode().strip()
        await git(["checkout", "--quiet", "--force", "--detach", commit], cwd=bench.copy)
    except ApplicationError:
        return ""
    for patch in patches:
        await _apply_if_it_fits(bench.copy, await get_bytes(patch))
    return commit


async def _apply_if_it_fits(tree: Path, patch: bytes) -> None:
    try:
        await git(["apply", "--index", "--whitespace=nowarn", "-"], cwd=tree, data=patch)
    except ApplicationError as error:
        if error.type != "GitFailed":
            raise
