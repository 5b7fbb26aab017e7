"""PipelineWorkflow: the order of stages, what one gives the next, and what becomes of a failure."""

import pytest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from regreen.contracts.run import StageRequest, StageVerdict
from regreen.contracts.testing import Triage
from regreen.pipeline_file import LintCommandSection, LintSection, Pipeline
from tests.workflow.running import (
    cancel,
    current_details,
    failure_of,
    report_of,
    start_run,
    states,
    waiting,
)
from tests.workflow.sample_answers import (
    ALL_GREEN,
    COMMIT,
    FULL,
    GREEN,
    PLAN,
    PULL_REQUEST,
    RED,
    SOURCE,
    UNIT_ONLY,
    fetched,
    finding,
    missing,
    packaged,
    passed,
    red,
    ref,
    reproducible,
    scanned,
    still_red,
    waiver,
    weighed_with,
)
from tests.workflow.scripted_activities import Held, Script, refusal, serving

pytestmark = pytest.mark.timeout(60)

GATES = (
    "lint_with_ruff",
    "measure_coverage",
    "run_load_test",
    "scan_secrets",
    "scan_python",
    "package_distribution",
)


@pytest.fixture
def script() -> Script:
    """A repository with every stage, all of them green."""
    made = Script(ALL_GREEN)
    made.answer("fetch_source", fetched(FULL))
    return made


def _red_in(script: Script, *stages: str) -> None:
    script.answer("run_tests", lambda asked: red(RED) if asked.stage in stages else GREEN)


async def test_a_green_commit_goes_from_source_to_release(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    async with serving(worker_client, script):
        run = await start_run(env.client)
        report = await run.result()
        assert await report_of(run) == report
    assert report.state == "released"
    assert states(report) == {
        "build": "passed",
        "unit": "passed",
        "integration": "passed",
        "e2e": "passed",
        "lint": "passed",
        "coverage": "passed",
        "load": "passed",
        "security": "passed",
        "package": "passed",
        "approval": "skipped",
        "release": "passed",
    }
    assert (report.tree, report.sandbox) == (SOURCE.tree, "bubblewrap")
    assert report.pull_request is None
    assert report.release is not None
    assert (report.release.version, report.release.tag) == ("1.1.0", "v1.1.0")
    [tag] = script.given("create_tag")
    assert tag.commit == COMMIT
    begun = [name for name in script.called if name != "append_audit"]
    assert begun[:3] == ["fetch_source", "report_isolation", "build_environment"]


async def test_a_heal_is_in_the_workspace_of_all_later_stages(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    _red_in(script, "integration")
    never = FULL.approval.model_copy(update={"required": "never"})
    script.answer("fetch_source", fetched(FULL.model_copy(update={"approval": never})))
    async with serving(worker_client, script):
        report = await (await start_run(env.client)).result()
    assert (report.state, states(report)["integration"]) == ("released", "healed")
    assert (report.pull_request, report.tree) == (PULL_REQUEST, PULL_REQUEST.tree)
    patched = {asked.stage: asked.workspace.patches for asked in script.given("run_tests")}
    heal = (ref("one.patch"),)
    assert patched == {"unit": (), "integration": (), "e2e": heal}
    for name in (*GATES, "plan_release"):
        assert [asked.workspace.patches for asked in script.given(name)] == [heal], name
    [verification] = script.given("verify_patch")
    assert verification.earlier_stages == ("unit",)
    [tag] = script.given("create_tag")
    assert tag.commit == PULL_REQUEST.head
    [folder] = script.given("publish_release_folder")
    assert "patches/0001.patch" in {file.path for file in folder.files}


async def test_two_heals_are_one_pull_request(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    _red_in(script, "unit", "e2e")
    async with serving(worker_client, script):
        with env.with_time_skipping_disabled():
            run = await start_run(env.client)
        await waiting(run)
        await cancel(run)
        first, second = script.given("publish_pull_request")
    assert [heal.stage for heal in first.heals] == ["unit"]
    assert [heal.stage for heal in second.heals] == ["unit", "e2e"]
    assert first.branch.startswith("auto-heal/unit/")
    assert second.branch == PULL_REQUEST.branch
    _, end_to_end = script.given("verify_patch")
    assert end_to_end.earlier_stages == ("unit", "integration")


async def test_a_quarantine_is_shown_and_kept_for_later_stages(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    _red_in(script, "unit", "integration", "e2e")
    # The unit stage is flaky, the next one is healed, the last one is flaky again.
    flaky = Triage(kind="flaky", reason="passed alone in run 2", flaky=(RED,))
    answers = {"unit": flaky, "integration": reproducible(RED), "e2e": flaky}
    script.answer("triage_failures", lambda asked: answers[asked.stage])
    async with serving(worker_client, script):
        with env.with_time_skipping_disabled():
            run = await start_run(env.client)
        report = await waiting(run)
        details = await current_details(run)
        await cancel(run)
    stages = {stage.name: stage for stage in report.stages}
    assert (stages["unit"].state, stages["unit"].quarantined) == ("passed", (RED,))
    assert stages["unit"].triage == flaky
    assert (stages["integration"].state, stages["integration"].quarantined) == ("healed", ())
    [verification] = script.given("verify_patch")
    assert verification.earlier_quarantine == {"unit": (RED,)}
    first, second = script.given("publish_pull_request")
    assert first.quarantined == {"unit": (RED,)}
    assert second.quarantined == {"unit": (RED,), "e2e": (RED,)}
    assert first.heals == second.heals
    assert "**unit**\n\nTriage: flaky, passed alone in run 2" in details
    assert f"Quarantined as flaky: `{RED}`" in details


async def test_what_comes_after_a_failed_stage_is_not_reached(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    _red_in(script, "unit")
    script.answer("verify_patch", lambda asked: still_red(asked.patch.name))
    async with serving(worker_client, script):
        kind, report = await failure_of(await start_run(env.client))
    assert (kind, report.state) == ("PipelineFailed", "failed")
    assert report.reason.startswith(f"unit: 1 of 41 failing, first {RED}")
    unit, *later = report.stages[1:]
    assert (unit.state, len(unit.attempts)) == ("failed", 8)
    assert {(stage.state, stage.summary) for stage in later} == {
        ("skipped", "not reached: unit failed")
    }
    assert not {*GATES, "publish_pull_request", "plan_release"} & set(script.called)


async def test_a_gate_that_fails_leaves_its_neighbours_alone_and_stops_the_release(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    crossed = finding("crossed-threshold", path="load.js", message="p(95)<500 (was 812 ms)")
    script.answer("run_load_test", scanned("load", "k6", crossed))
    async with serving(worker_client, script):
        kind, report = await failure_of(await start_run(env.client))
    assert (kind, report.reason) == (
        "PipelineFailed",
        "load: k6: 1 finding of high or above, first crossed-threshold at load.js:7: "
        "p(95)<500 (was 812 ms); examined 12 files",
    )
    found = states(report)
    assert (found["load"], found["security"], found["package"]) == ("failed", "passed", "passed")
    assert (found["approval"], found["release"]) == ("skipped", "skipped")
    assert "sign_files" not in script.called


async def test_the_reason_of_a_failed_run_names_the_gates_that_failed_and_no_other(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    leak = finding("aws-access-token", path="keys.py", tool="gitleaks")
    script.answer("scan_secrets", scanned("secrets", "gitleaks", leak))
    async with serving(worker_client, script):
        _, report = await failure_of(await start_run(env.client))
    [failed] = [stage for stage in report.stages if stage.state == "failed"]
    [gate] = [gate for gate in failed.gates if gate.state == "failed"]
    assert report.reason == f"security: {gate.summary}"
    assert "bandit: nothing found" in failed.summary


async def test_the_findings_of_all_gates_are_kept_however_the_run_ends(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    # A package may be called like a stage's log.
    script.answer("package_by_command", packaged("command", "package.sarif"))
    async with serving(worker_client, script):
        report = await (await start_run(env.client)).result()
        script.answer("run_load_test", scanned("load", "k6", finding("crossed-threshold")))
        _, failed = await failure_of(await start_run(env.client))
        script.answer("build_environment", StageVerdict(state="failed", summary="no space left"))
        _, unbuilt = await failure_of(await start_run(env.client))
    assert (report.state, failed.state) == ("released", "failed")
    assert report.findings == failed.findings == ref("findings.sarif")
    assert unbuilt.findings is None
    asked = [[log.name for log in each.logs] for each in script.given("merge_findings")]
    stages = ["lint", "coverage", "load", "security", "package"]
    assert asked == [[f"{stage}.sarif" for stage in stages]] * 2


async def test_findings_that_cannot_be_kept_change_no_verdict(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    script.answer("merge_findings", refusal("ArtifactMissing", "an artifact is gone"))
    async with serving(worker_client, script):
        report = await (await start_run(env.client)).result()
    assert (report.state, report.findings) == ("released", None)


async def test_load_security_and_package_run_side_by_side(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    held = {name: Held(ALL_GREEN[name]) for name in GATES}
    for name, answer in held.items():
        script.answer(name, answer)
    async with serving(worker_client, script):
        run = await start_run(env.client)
        # None of them ends before all have begun.
        for answer in held.values():
            await answer.reached.wait()
        running = {stage.name for stage in (await report_of(run)).stages if stage.running}
        for answer in held.values():
            answer.release.set()
        report = await run.result()
    assert running == {"lint", "coverage", "load", "security", "package"}
    assert report.state == "released"


async def test_step_by_step_only_one_stage_runs_at_a_time(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    held = [Held(ALL_GREEN[name]) for name in ("run_load_test", "package_distribution")]
    script.answer("run_load_test", held[0])
    script.answer("package_distribution", held[1])
    together = []
    async with serving(worker_client, script):
        run = await start_run(env.client, step_by_step=True)
        for answer in held:
            await answer.reached.wait()
            together.append([each.name for each in (await report_of(run)).stages if each.running])
            answer.release.set()
        report = await run.result()
    assert together == [["load"], ["package"]]
    assert report.state == "released"
    ends = script.timeline.index("run_load_test ends")
    assert not {"scan_secrets starts", "package_distribution starts"} & set(script.timeline[:ends])


@pytest.mark.parametrize(
    ("required", "state"), [((), "skipped"), (("k6",), "failed"), (("load",), "failed")]
)
async def test_a_missing_tool_skips_its_stage_unless_it_is_required(
    env: WorkflowEnvironment,
    worker_client: Client,
    script: Script,
    required: tuple[str, ...],
    state: str,
) -> None:
    script.answer("fetch_source", fetched(FULL.model_copy(update={"require": required})))
    script.answer("run_load_test", missing("load", "k6"))
    async with serving(worker_client, script):
        run = await start_run(env.client)
        if required:
            _, report = await failure_of(run)
        else:
            report = await run.result()
    [load] = [stage for stage in report.stages if stage.name == "load"]
    assert (load.state, load.summary) == (state, "skipped: k6 not found, `regreen tools install`")
    assert report.state == ("failed" if required else "released")


async def test_one_scanner_of_two_is_enough_unless_the_other_is_required(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    script.answer("scan_secrets", missing("secrets", "gitleaks"))
    async with serving(worker_client, script):
        report = await (await start_run(env.client)).result()
        assert states(report)["security"] == "passed"
        required = FULL.model_copy(update={"require": ("gitleaks",)})
        script.answer("fetch_source", fetched(required))
        _, report = await failure_of(await start_run(env.client))
    assert report.reason.startswith("security: skipped: gitleaks not found")


async def test_only_healing_runs_build_and_tests_and_publishes_nothing(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    _red_in(script, "unit")
    async with serving(worker_client, script):
        run = await start_run(env.client, heal_only=True)
        assert run.id.startswith("heal/")
        report = await run.result()
    assert (report.state, report.pull_request) == ("passed", None)
    found = states(report)
    assert [name for name, state in found.items() if state == "skipped"] == [
        *("lint", "coverage", "load", "security", "package", "approval", "release")
    ]
    assert (found["unit"], found["e2e"]) == ("healed", "passed")
    assert not {*GATES, "publish_pull_request", "plan_release", "sign_files"} & set(script.called)
    end_to_end = script.given("run_tests")[-1]
    assert end_to_end.workspace.patches == (ref("one.patch"),)


async def test_stages_without_configuration_are_skipped_and_say_so(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    script.answer("fetch_source", fetched(UNIT_ONLY))
    async with serving(worker_client, script):
        report = await (await start_run(env.client)).result()
    assert report.state == "passed"
    said = {stage.name: stage.summary for stage in report.stages if stage.state == "skipped"}
    assert said == {
        "integration": "no integration tests configured",
        "e2e": "no e2e tests configured",
        "lint": "switched off",
        "coverage": "switched off",
        "load": "no load test configured",
        "security": "switched off",
        "package": "switched off",
        "approval": "not required (`approval.required: healed`)",
        "release": "no release configured",
    }


async def test_each_of_the_repositorys_linters_runs(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    linters = [
        LintCommandSection(name=name, command=(name,), sarif="out.sarif", files=("*.js",))
        for name in ("eslint", "stylelint")
    ]
    section = LintSection(tools=(), commands=tuple(linters))
    script.answer("fetch_source", fetched(UNIT_ONLY.model_copy(update={"lint": section})))
    async with serving(worker_client, script):
        report = await (await start_run(env.client)).result()
        assert states(report)["lint"] == "passed"
        ran = [asked.linter for asked in script.given("lint_by_command")]
        assert sorted(ran, key=lambda linter: linter.name) == linters
        assert "lint_with_ruff" not in script.called

        nothing = UNIT_ONLY.model_copy(update={"lint": LintSection(tools=())})
        script.answer("fetch_source", fetched(nothing))
        report = await (await start_run(env.client)).result()
    [lint] = [stage for stage in report.stages if stage.name == "lint"]
    assert (lint.state, lint.summary) == ("skipped", "no linters configured")


async def test_what_a_linter_finds_keeps_no_stage_from_healing_and_ends_before_approval(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    _red_in(script, "unit")
    script.answer("lint_with_ruff", scanned("lint", "ruff", finding("F401", tool="ruff")))
    async with serving(worker_client, script):
        _, report = await failure_of(await start_run(env.client))
    found = states(report)
    assert (found["unit"], found["lint"], found["approval"]) == ("healed", "failed", "skipped")
    [asked] = script.given("lint_with_ruff")
    assert asked.workspace.patches == (ref("one.patch"),)


async def test_a_release_is_told_what_waivers_let_its_gates_pass(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    script.answer("scan_python", scanned("static-analysis", "bandit", finding("B602")))
    script.answer("weigh_gates", weighed_with(waiver("B602", "9999-12-31")))
    async with serving(worker_client, script):
        report = await (await start_run(env.client)).result()
    assert report.state == "released"
    [told] = script.given("write_waivers")
    assert [ref.name for ref in told.waivers] == ["security.waivers.jsonl"]
    wanted = ["shop-1.1.0-py3-none-any.whl", "shop-1.1.0.tar.gz"]
    assert [file.path for file in told.packages] == wanted
    [folder] = script.given("publish_release_folder")
    assert "waivers.openvex.json" in {file.path for file in folder.files}


async def test_a_release_without_packages_fails(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    script.answer("fetch_source", fetched(FULL.model_copy(update={"package": None})))
    async with serving(worker_client, script):
        _, report = await failure_of(await start_run(env.client))
    assert report.reason == "release: nothing was packaged"


@pytest.mark.parametrize(
    ("activity", "stage"),
    [
        ("build_environment", "build"),
        ("run_tests", "unit"),
        ("triage_failures", "unit"),
        ("publish_pull_request", "unit"),
        ("scan_python", "security"),
        ("plan_release", "approval"),
        ("create_tag", "release"),
    ],
)
async def test_an_error_is_a_failed_stage_with_one_line(
    env: WorkflowEnvironment, worker_client: Client, script: Script, activity: str, stage: str
) -> None:
    if activity in ("triage_failures", "publish_pull_request"):
        _red_in(script, "unit")
    script.answer(activity, refusal("DiskFull", "no space left\nwhile writing 12 files"))
    async with serving(worker_client, script):
        kind, report = await failure_of(await start_run(env.client))
    assert (kind, report.reason) == ("PipelineFailed", f"{stage}: no space left")
    assert states(report)[stage] == "failed"


@pytest.mark.parametrize("activity", ["fetch_source", "report_isolation"])
async def test_an_error_before_the_first_stage_fails_the_run_with_one_line(
    env: WorkflowEnvironment, worker_client: Client, script: Script, activity: str
) -> None:
    script.answer(activity, refusal("CommitNotFound", "no such commit\nin the repository"))
    async with serving(worker_client, script):
        kind, report = await failure_of(await start_run(env.client))
    assert (kind, report.reason) == ("PipelineFailed", "no such commit")
    assert set(states(report).values()) == {"skipped"}
    assert "build_environment" not in script.called


async def test_a_passing_trouble_is_tried_again(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    script.answer("fetch_source", fetched(UNIT_ONLY))
    script.answer("build_environment", OSError("disk full"), OSError("disk full"), passed("uv"))
    async with serving(worker_client, script):
        report = await (await start_run(env.client)).result()
    assert report.state == "passed"
    assert len(script.given("build_environment")) == 3


async def test_the_release_is_planned_from_what_was_packaged_and_healed(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    _red_in(script, "unit")
    async with serving(worker_client, script):
        with env.with_time_skipping_disabled():
            run = await start_run(env.client)
        report = await waiting(run)
        await cancel(run)
    assert report.reason == f"approval of #1 to release {PLAN.tag}"
    [plan] = script.given("plan_release")
    names = [package.name for package in plan.packages]
    assert names == ["shop-1.1.0-py3-none-any.whl", "shop-1.1.0.tar.gz", "shop-1.1.0.cdx.json"]
    assert plan.heals == ("one.patch: `<` becomes `<=`",)


def test_every_stage_of_the_sample_is_configured() -> None:
    optional = [name for name, field in Pipeline.model_fields.items() if field.default is None]
    assert {name for name in optional if getattr(FULL, name) is None} == {"python"}


async def test_the_load_of_an_accepted_run_is_kept_and_no_other(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    script.answer("run_load_test", scanned("load", "k6", artifacts=(ref("k6-summary.json"),)))
    async with serving(worker_client, script):
        report = await (await start_run(env.client)).result()
        [accepted] = script.given("accept_load")
        assert report.state == "released"
        assert (accepted.ref, accepted.commit) == ("main", COMMIT)
        assert accepted.summary.name == "k6-summary.json"

        leak = finding("aws-access-token", tool="gitleaks")
        script.answer("scan_secrets", scanned("secrets", "gitleaks", leak))
        _, report = await failure_of(await start_run(env.client))
    assert report.state == "failed"
    assert len(script.given("accept_load")) == 1


async def test_what_a_later_heal_changed_is_measured_again(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    covered = GREEN.model_copy(update={"coverage": ref("coverage.json")})
    script.answer("run_tests", lambda asked: red(RED) if _red_end_to_end(asked) else covered)
    async with serving(worker_client, script):
        with env.with_time_skipping_disabled():
            run = await start_run(env.client)
        await waiting(run)
        await cancel(run)
    ran = [(asked.stage, len(asked.workspace.patches)) for asked in script.given("run_tests")]
    assert ran == [("unit", 0), ("integration", 0), ("e2e", 0), ("unit", 1), ("integration", 1)]
    [asked] = script.given("measure_coverage")
    assert list(asked.reports) == ["unit", "integration"]
    assert list(asked.unhealed) == ["unit", "integration"]


async def test_the_coverage_before_the_first_heal_is_compared_and_no_later_one(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    before = red(RED).model_copy(update={"coverage": ref("before.json")})
    after = GREEN.model_copy(update={"coverage": ref("after.json")})
    script.answer("run_tests", lambda asked: after if asked.workspace.patches else before)
    async with serving(worker_client, script):
        with env.with_time_skipping_disabled():
            run = await start_run(env.client)
        await waiting(run)
        await run.cancel()
    [asked] = script.given("measure_coverage")
    assert asked.unhealed == {"unit": ref("before.json")}


def _red_end_to_end(asked: StageRequest) -> bool:
    return asked.stage == "e2e" and not asked.workspace.patches
