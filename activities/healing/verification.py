"""Verifying a patch in a fresh workspace, cheapest check first, and making it smaller."""

from collections.abc import Collection, Sequence

from pydantic import Field
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.artifact_store import get_bytes, put_bytes
from activities.environment import environment_of
from activities.git import git
from activities.healing.hunks import split_hunks
from activities.healing.suspicion import not_the_patchs_fault
from activities.stage_tests import run_stage_tests
from activities.test_bench import TestBench, fresh_bench
from activities.workspace import checked_out, private_folder
from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.run import StageRequest
from regreen.contracts.testing import TestReport, Verification
from regreen.pipeline_file import TestSection

_REPEATS = 5


class VerificationRequest(StageRequest):
    """A guarded patch on top of the request's workspace."""

    patch: ArtifactRef
    failing: tuple[str, ...]
    """Tests that the patch must turn green."""
    quarantined: tuple[str, ...] = ()
    """Flaky tests whose failure does not count."""
    original: TestReport
    """The stage on the unpatched source: none of its tests may be lost, gained or skipped."""
    earlier_stages: tuple[str, ...] = ()
    """Test stages that are green and must stay so."""
    earlier_quarantine: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Flaky tests of those stages, by the stage's name: their failures do not count."""


@activity.defn
async def verify_patch(request: VerificationRequest) -> Verification:
    """Run the failing tests, the whole suite, repeats, the collected set and earlier stages."""
    found = await _check(request, request.patch, thorough=True)
    if not found.verified:
        return found
    smaller = await _minimise(request)
    if smaller is None:
        return found
    return await _check(request, smaller, thorough=True)


async def _check(
    request: VerificationRequest, patch: ArtifactRef, *, thorough: bool
) -> Verification:
    def refused(reason: str) -> Verification:
        return Verification(verified=False, reason=reason, patch=patch, flaky=tuple(flaky))

    stage, pipeline = request.stage, request.pipeline
    section = pipeline.tests(stage)
    assert section is not None
    flaky: list[str] = []
    try:
        async with checked_out(request.workspace.with_patch(patch)) as copy:
            environment = await environment_of(request.workspace, pipeline, copy)
            tree = (await git(["write-tree"], cwd=copy)).decode().strip()

            async def run(
                part: TestSection, subject: str, node_ids: Sequence[str] = ()
            ) -> TestReport:
                return await run_stage_tests(
                    copy,
                    environment,
                    part,
                    subject=subject,
                    node_ids=node_ids,
                    coverage=thorough and not node_ids,
                    keep=thorough and not node_ids,
                    original=request.original if part is section else None,
                )

            async def excuse(
                part: TestSection, subject: str, red: TestReport, quarantined: Collection[str]
            ) -> list[str] | None:
                """The tests that are red and for which the patch is not to blame; None: it is."""
                if red.failed > len(red.failures):
                    # Nobody can tell whose fault those are that are only counted.
                    return None
                suspects = [f.node_id for f in red.failures if f.node_id not in quarantined]
                if not suspects:
                    return []
                if set(suspects) & set(request.failing):
                    return None
                with private_folder() as scratch:
                    patched = TestBench(copy, environment, part, scratch)
                    unpatched = fresh_bench(request.workspace, pipeline, part)
                    return await not_the_patchs_fault(suspects, red, patched, unpatched, subject)

            healed = await run(section, f"{stage}: failing tests", request.failing)
            if healed.outcome != "passed":
                return refused(_red(healed, "tests still red"))
            if healed.passed < sum("::" in node_id for node_id in request.failing):
                return refused("tests that failed are skipped now, which is not green")
            suite = await run(section, f"{stage}: whole suite")
            quarantined = {*request.quarantined, *request.earlier_quarantine.get(stage, ())}
            excused = await excuse(section, f"{stage}: whole suite", suite, quarantined)
            if excused is None or suite.outcome in ("broken", "no_tests"):
                return refused(_red(suite, "the rest of the suite is red", quarantined))
            flaky += excused
            if lost := _lost(suite, request.original):
                return refused(lost)
            if thorough:
                for number in range(_REPEATS):
                    again = await run(
                        section, f"{stage}: repeat {number + 1} of {_REPEATS}", request.failing
                    )
                    if again.outcome != "passed":
                        return refused(_red(again, "green once, red when repeated"))
                for earlier in request.earlier_stages:
                    other = pipeline.tests(earlier)
                    if other is not None:
                        before = await run(other, f"{earlier}: regression")
                        quarantined = set(request.earlier_quarantine.get(earlier, ()))
                        excused = await excuse(other, f"{earlier}: regression", before, quarantined)
                        if excused is None or before.outcome in ("broken", "no_tests"):
                            return refused(_red(before, f"breaks the {earlier} stage", quarantined))
                        flaky += excused
    except ApplicationError as error:
        if error.type == "PatchRejected":
            return refused(error.message)
        raise
    green = f"{suite.passed} of {suite.total} green, healed tests green {_REPEATS + 1} times"
    return Verification(
        verified=True,
        reason=f"{green}; flaky on the way: {', '.join(flaky[:3])}" if flaky else green,
        patch=patch,
        tree=tree,
        report=suite if thorough else None,
        flaky=tuple(dict.fromkeys(flaky)),
    )


def _lost(suite: TestReport, original: TestReport) -> str:
    if suite.collected_digest != original.collected_digest:
        return "the set of collected tests is not the original's"
    # Where the original did not see all tests, more of them may well be skipped.
    complete = original.finished and all(each.phase != "collect" for each in original.failures)
    if complete and suite.skipped > original.skipped:
        return "tests that ran before are skipped now"
    return ""


def _red(report: TestReport, what: str, quarantined: Collection[str] = ()) -> str:
    failures = [each for each in report.failures if each.node_id not in quarantined]
    if not failures:
        many = f"{report.failed} failing, of which only {len(report.failures)} are examined"
        return f"{what}: {report.detail or many}"
    first = failures[0]
    failed = report.failed - (len(report.failures) - len(failures))
    line = (first.message.strip().splitlines() or [first.exception])[0]
    return f"{what}: {failed} failing, first {first.node_id}: {line[:200]}"


async def _minimise(request: VerificationRequest) -> ArtifactRef | None:
    """Drop every hunk without which the tests are green as well; None when all are needed."""
    hunks = split_hunks(await get_bytes(request.patch))
    kept = hunks
    for hunk in hunks if len(hunks) > 1 else []:
        fewer = [other for other in kept if other is not hunk]
        if not fewer:
            break
        patch = await put_bytes(request.patch.name, b"".join(fewer), "text/x-diff")
        if (await _check(request, patch, thorough=False)).verified:
            kept = fewer
    if kept is hunks:
        return None
    return await put_bytes(request.patch.name, b"".join(kept), "text/x-diff")
