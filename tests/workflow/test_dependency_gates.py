"""The security stage's dependencies: one list, two opinions, a review, and what is accepted."""

import pytest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from regreen.contracts.dependencies import DependencyList
from regreen.pipeline_file import Pipeline
from tests.workflow.running import failure_of, start_run
from tests.workflow.sample_answers import ALL_GREEN, COMMIT, fetched, finding, scanned
from tests.workflow.scripted_activities import Held, Script, serving

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def script() -> Script:
    """A repository with unit tests and the security stage."""
    made = Script(ALL_GREEN)
    made.answer("fetch_source", fetched(Pipeline(coverage=None, package=None)))
    return made


async def test_both_are_asked_about_one_list_at_once_and_the_review_hears_them(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    held = [Held(ALL_GREEN[name]) for name in ("scan_dependencies", "audit_dependencies")]
    script.answer("scan_dependencies", held[0])
    script.answer("audit_dependencies", held[1])
    async with serving(worker_client, script):
        run = await start_run(env.client)
        # Neither ends before both have begun.
        for answer in held:
            await answer.reached.wait()
        assert "review_dependencies" not in script.called
        for answer in held:
            answer.release.set()
        report = await run.result()
    assert report.state == "passed"
    (scan,), (audit,) = script.given("scan_dependencies"), script.given("audit_dependencies")
    assert scan.bill == audit.bill == ALL_GREEN["list_dependencies"].bill
    (review,) = script.given("review_dependencies")
    assert [scan.tool for scan in review.scans] == ["trivy", "pip-audit", "osv"]
    gates = {stage.name: stage.gates for stage in report.stages}["security"]
    assert [gate.gate for gate in gates[-2:]] == ["dependencies", "dependency-review"]
    assert gates[-2].summary.startswith(
        "trivy+pip-audit+osv: nothing found; examined 12 components"
    )


async def test_without_a_list_nobody_is_asked_and_the_reason_is_told(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    broken = scanned("dependencies", "syft", examined=0, problem="0 components examined")
    script.answer("list_dependencies", DependencyList(scan=broken))
    async with serving(worker_client, script):
        _, report = await failure_of(await start_run(env.client))
    assert report.state == "failed"
    assert "syft: 0 components examined" in report.reason
    assert not {"scan_dependencies", "audit_dependencies", "accept_dependencies"} & set(
        script.called
    )


async def test_the_dependencies_of_an_accepted_run_are_kept_and_no_other(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    async with serving(worker_client, script):
        report = await (await start_run(env.client)).result()
        assert report.state == "passed"
        (accepted,) = script.given("accept_dependencies")
        assert (accepted.repository, accepted.commit) == (report.request.repository, COMMIT)
        assert accepted.bill.name == "dependencies.cdx.json"

        bad = finding("CVE-2099-0001", tool="osv", path="", line=0, subject="pkg:pypi/a@1")
        script.answer("audit_dependencies", [scanned("dependencies", "osv", bad, unit="component")])
        _, report = await failure_of(await start_run(env.client))
    assert report.state == "failed"
    assert len(script.given("accept_dependencies")) == 1
