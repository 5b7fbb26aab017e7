"""The runner's triage of a red test stage: what kind of failure it is, by running it again."""

from collections.abc import Sequence

from temporalio import activity

from activities.healing.failure_signature import failure_signature
from activities.healing.parent_commit import (
    ParentRun,
    green_in_the_parents_stage,
    run_on_parent,
)
from activities.healing.rerun import Reruns, always_pass_alone, rerun_alone
from activities.healing.triage import MachineTrouble, broken_runner_trouble, machine_trouble
from activities.test_bench import fresh_bench
from activities.test_stage import section_of
from regreen.contracts.run import StageRequest
from regreen.contracts.source import Workspace
from regreen.contracts.testing import Evidence, TestReport, Triage
from regreen.pipeline_file import TestSection

# A stage that takes longer is not run again for the sake of a name.
_QUICK_STAGE_SECONDS = 120.0
_MORE_RUNS_ALONE = 2


class TriageRequest(StageRequest):
    """A red or broken report to be understood before any code is touched."""

    report: TestReport


@activity.defn
async def triage_failures(request: TriageRequest) -> Triage:
    """Read what the failures say, run them alone, and on the parent commit: only then heal."""
    report, stage = request.report, request.stage
    section = _bounded(section_of(request), report)
    ids = [failure.node_id for failure in report.failures]
    async with fresh_bench(request.workspace, request.pipeline, section) as bench:
        if report.failures:
            trouble = machine_trouble(bench.copy, request.pipeline, report.failures)
        else:
            trouble = broken_runner_trouble(bench.copy, request.pipeline, stage, report)
        if trouble is not None:
            return _infrastructure(trouble)
        if not report.failures:
            return Triage(kind="reproducible", reason=report.detail)
        alone = await rerun_alone(bench, ids, stage)
        failing = tuple(node_id for node_id in ids if node_id not in alone.passed_in)
        if not failing and not report.finished:
            return _unfinished(stage, report, alone)
        ordered, ordering = await _order_dependent(request, section, alone)
        if ordered:
            ordered = await always_pass_alone(bench, ordered, _MORE_RUNS_ALONE, stage)
    evidence = [_evidence_alone(ids, alone), *ordering]
    regressed: tuple[str, ...] = ()
    if ordered:
        runs = 1 + _MORE_RUNS_ALONE
        result = f"{len(ordered)} passed each time: order-dependent"
        evidence.append(Evidence(check="these tests alone", runs=runs, result=result))
        regressed = await _regressed(request, section, ordered)
        result = f"{len(regressed)} of {len(ordered)} did not fail there"
        check = "the whole stage on the parent commit"
        evidence.append(Evidence(check=check, runs=1, result=result))
    flaky = tuple(node_id for node_id in ids if node_id in alone.passed_in)
    if not failing:
        return Triage(
            kind="flaky",
            reason=_flaky_clause(flaky, ordered, regressed, alone),
            flaky=flaky,
            order_dependent=ordered,
            regressed=regressed,
            evidence=tuple(evidence),
        )
    parent = await _parent(request, section, failing)
    evidence.append(_evidence_parent(parent, failing))
    every = len(parent.upstream) == len(failing)
    return Triage(
        kind="upstream" if every else "reproducible",
        reason=f"failed in {alone.runs} of {alone.runs} runs alone, {_parent_clause(parent)}",
        failing=failing,
        flaky=tuple(node_id for node_id in flaky if node_id not in regressed),
        order_dependent=ordered,
        regressed=regressed,
        upstream=parent.upstream,
        parent=parent.commit,
        evidence=tuple(evidence),
        signature=failure_signature(stage, report.failures, failing),
    )


def _infrastructure(trouble: MachineTrouble) -> Triage:
    read = Evidence(check="what the failures say", runs=0, result=trouble.reason)
    return Triage(
        kind="infrastructure", reason=trouble.reason, lasting=trouble.lasting, evidence=(read,)
    )


def _unfinished(stage: str, report: TestReport, alone: Reruns) -> Triage:
    """The last test ended the process and passes alone: what comes after it has never run."""
    last = report.failures[-1]
    reason = f"{last.message} ({last.node_id}), and it passes alone"
    if last.exception == "Timeout":
        reason += f": raise `{stage}.timeout`, or make the stage smaller"
    evidence = (_evidence_alone([last.node_id], alone),)
    return Triage(kind="infrastructure", reason=reason, evidence=evidence)


def _bounded(section: TestSection, report: TestReport) -> TestSection:
    """The section with a time limit that a part of the stage needs at most."""
    limit = min(section.timeout, 2 * report.seconds + 30)
    return section.model_copy(update={"timeout": limit})


async def _order_dependent(
    request: TriageRequest, section: TestSection, alone: Reruns
) -> tuple[tuple[str, ...], list[Evidence]]:
    """Those tests that passed at once alone and fail again in the whole stage."""
    candidates = [node_id for node_id, run in alone.passed_in.items() if run == 1]
    if not candidates or request.report.seconds > _QUICK_STAGE_SECONDS:
        return (), []
    async with fresh_bench(request.workspace, request.pipeline, section) as bench:
        again = await bench.run((), f"{request.stage}: whole stage again")
    red = {failure.node_id for failure in again.failures}
    ordered = tuple(node_id for node_id in candidates if node_id in red)
    result = f"{len(ordered)} of {len(candidates)} that pass alone failed there again"
    return ordered, [Evidence(check="the whole stage again", runs=1, result=result)]


async def _regressed(
    request: TriageRequest, section: TestSection, ordered: Sequence[str]
) -> tuple[str, ...]:
    """Those order-dependent tests that this commit has made so."""
    unpatched = Workspace(source=request.workspace.source)
    async with fresh_bench(unpatched, request.pipeline, section) as bench:
        return await green_in_the_parents_stage(
            bench, request.stage, ordered, request.workspace.patches
        )


async def _parent(
    request: TriageRequest, section: TestSection, failing: Sequence[str]
) -> ParentRun:
    failures = [f for f in request.report.failures if f.node_id in failing]
    unpatched = Workspace(source=request.workspace.source)
    async with fresh_bench(unpatched, request.pipeline, section) as bench:
        return await run_on_parent(
            bench, request.pipeline, request.stage, failures, request.workspace.patches
        )


def _evidence_alone(ids: Sequence[str], alone: Reruns) -> Evidence:
    passed = len(alone.passed_in)
    failed = len(ids) - passed
    parts = [f"{failed} of {len(ids)} failed each time"] if failed else []
    if passed:
        last = max(alone.passed_in.values())
        parts.append(f"{passed} of {len(ids)} passed, the last of them in run {last}")
    return Evidence(check="the failing tests alone", runs=alone.runs, result="; ".join(parts))


def _flaky_clause(
    flaky: Sequence[str], ordered: Sequence[str], regressed: Sequence[str], alone: Reruns
) -> str:
    if regressed:
        names = ", ".join(regressed[:3])
        return f"order-dependent since this commit, though green alone: {names}"
    if len(ordered) == len(flaky):
        return "order-dependent: failed in 2 of 2 runs of the whole stage, passed in 3 of 3 alone"
    last = max(alone.passed_in.values())
    passed = f"passed alone in run {last} of at most 5"
    return f"{passed}; order-dependent: {', '.join(ordered[:3])}" if ordered else passed


def _evidence_parent(parent: ParentRun, failing: Sequence[str]) -> Evidence:
    check = f"the failing tests on the parent commit {parent.commit[:12]}".rstrip()
    if parent.no_verdict:
        return Evidence(check=check, runs=0, result=f"no verdict: {parent.no_verdict}")
    result = f"{len(parent.upstream)} of {len(failing)} fail there in the same way"
    return Evidence(check=check, runs=1, result=result)


def _parent_clause(parent: ParentRun) -> str:
    if not parent.commit:
        return "no parent commit to compare with"
    if parent.no_verdict:
        return f"no verdict on the parent commit {parent.commit[:12]}"
    if parent.upstream:
        return f"and {len(parent.upstream)} on the parent commit {parent.commit[:12]} too"
    return f"not on the parent commit {parent.commit[:12]}"
