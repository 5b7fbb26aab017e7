"""Planning a release: what is shown to whoever approves, and what keeps it from being asked."""

import pytest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from regreen.contracts.release_plan import (
    ChangedFile,
    PlannedStep,
    ReleaseChanges,
    ReleaseDocument,
)
from regreen.contracts.run import StageVerdict
from regreen.pipeline_file import ChecklistSection, Pipeline, ReleaseSection
from tests.workflow.running import (
    current_details,
    failure_of,
    report_of,
    send,
    start_run,
    states,
    waiting,
)
from tests.workflow.sample_answers import (
    ALL_GREEN,
    FULL,
    GREEN,
    PLAN,
    PULL_REQUEST,
    RED,
    fetched,
    finding,
    missing,
    red,
    ref,
    scanned,
    waiver,
    weighed_with,
)
from tests.workflow.scripted_activities import Script, serving

pytestmark = pytest.mark.timeout(60)

SHOWN = PLAN.model_copy(
    update={
        "because": "1 feature of 2 commits since 1.0.0",
        "steps": (
            PlannedStep(name="tag", kind="reversible", place="v1.1.0", undo="deleted"),
            PlannedStep(name="index", kind="yank-only", place="https://x.org/", undo="yanked"),
        ),
        "changes": ReleaseChanges(
            commits=("0123abc feat: sell <b>tea</b> | @all",),
            commit_count=2,
            files=(ChangedFile(path="shop.py", insertions=7, deletions=1),),
            file_count=1,
            insertions=7,
            deletions=1,
            diff=ref("release.diff"),
        ),
    }
)


@pytest.fixture
def script() -> Script:
    """A green run with every stage."""
    made = Script(ALL_GREEN)
    made.answer("fetch_source", fetched(FULL))
    made.answer("plan_release", SHOWN)
    return made


def _with(checklist: ChecklistSection) -> Pipeline:
    release = ReleaseSection(checklist=checklist)
    return FULL.model_copy(update={"release": release})


async def test_the_plan_is_shown_where_a_person_decides(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    script.answer("run_tests", lambda asked: red(RED) if asked.stage == "unit" else GREEN)
    async with serving(worker_client, script):
        with env.with_time_skipping_disabled():
            run = await start_run(env.client)
        report = await waiting(run)
        details = await current_details(run)
        await send(run, "approve")
        ended = await run.result()
    [comment] = [each for each in script.given("comment_on_pull_request") if each.key == "plan"]
    assert comment.pull_request == PULL_REQUEST
    for text in (comment.text, details):
        assert "release 1.1.0 after v1.0.0 (minor): 1 feature of 2 commits since 1.0.0" in text
        assert "2 commits, 1 file, +7 −1 lines" in text
        assert "- `0123abc feat: sell <b>tea</b> | @all`\n- and 1 more\n" in text
        assert "| index | yank-only | `https://x.org/` | yanked |" in text
        assert "| approval | pending | a person is asked |" in text
        assert f"The whole diff is the artifact {ref('release.diff').sha256}." in text
    assert report.plan == SHOWN
    assert report.checklist is not None
    assert ended.checklist is not None
    item = ended.checklist.item("approval")
    assert item is not None
    assert (item.state, item.evidence[0].name) == ("met", "Ada")
    [written] = script.given("write_checklist")
    assert written.incomplete == ""
    assert (written.tree, written.version) == (PULL_REQUEST.tree, "1.1.0")


async def test_an_unmet_item_stops_the_run_before_anybody_is_asked(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    script.answer("scan_dependencies", missing("dependencies", "trivy"))
    script.answer("audit_dependencies", [missing("dependencies", "osv")])
    async with serving(worker_client, script):
        kind, report = await failure_of(await start_run(env.client))
    assert (kind, states(report)["approval"]) == ("PipelineFailed", "failed")
    assert states(report)["release"] == "skipped"
    assert report.reason.startswith(
        "approval: checklist: vulnerabilities: the gate `dependencies` was skipped: "
    )
    assert report.plan == SHOWN
    assert not {"sign_files", "create_tag"} & set(script.called)


async def test_an_item_that_is_off_lets_the_release_go_with_its_reason(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    script.answer("scan_dependencies", missing("dependencies", "trivy"))
    script.answer("audit_dependencies", [missing("dependencies", "osv")])
    off = ChecklistSection.model_validate({"off": {"vulnerabilities": "scanned elsewhere"}})
    script.answer("fetch_source", fetched(_with(off)))
    async with serving(worker_client, script):
        report = await (await start_run(env.client)).result()
    assert report.state == "released"
    [written] = script.given("write_checklist")
    item = written.item("vulnerabilities")
    assert (item.state, item.detail) == ("off", "scanned elsewhere")


async def test_a_document_that_is_missing_stops_the_run(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    problem = ReleaseDocument(item="rollback", path="b.md", problem="b.md is not in the commit")
    script.answer("plan_release", SHOWN.model_copy(update={"documents": (problem,)}))
    async with serving(worker_client, script):
        _, report = await failure_of(await start_run(env.client))
    assert report.reason.startswith("approval: checklist: rollback: b.md is not in the commit;")


async def test_the_documentation_is_checked_where_it_is_configured_and_on(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    script.answer("check_documentation", StageVerdict(state="failed", summary="2 pages missing"))
    configured = ChecklistSection(documentation=("make", "docs"))
    off = configured.model_copy(update={"off": {"documentation": "written by another team"}})
    async with serving(worker_client, script):
        assert (await (await start_run(env.client)).result()).state == "released"
        assert script.given("check_documentation") == []
        script.answer("fetch_source", fetched(_with(configured)))
        _, report = await failure_of(await start_run(env.client))
        assert report.reason.startswith("approval: checklist: documentation: 2 pages missing;")
        [asked] = script.given("check_documentation")
        assert asked.pipeline.release.checklist == configured
        script.answer("fetch_source", fetched(_with(off)))
        assert (await (await start_run(env.client)).result()).state == "released"
        assert len(script.given("check_documentation")) == 1


async def test_where_there_is_nothing_to_release_the_run_passes_and_says_so(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    nothing = "no commit since v1.0.0 touches tea"
    script.answer("plan_release", PLAN.model_copy(update={"bump": "none", "nothing": nothing}))
    async with serving(worker_client, script):
        run = await start_run(env.client)
        assert (await run.result()).state == "passed"
        report = await report_of(run)
    release = report.stages[-1]
    assert (release.name, release.state, release.summary) == ("release", "skipped", nothing)
    assert (report.plan, report.checklist) == (None, None)
    assert "sign_files" not in script.called


async def test_waivers_go_into_the_notes(
    env: WorkflowEnvironment, worker_client: Client, script: Script
) -> None:
    script.answer("scan_python", scanned("static-analysis", "bandit", finding("B602")))
    script.answer("weigh_gates", weighed_with(waiver("B602", "2099-01-01")))
    async with serving(worker_client, script):
        assert (await (await start_run(env.client)).result()).state == "released"
    [plan] = script.given("plan_release")
    assert plan.waivers == ("B602 at shop.py:7, by shop team until 2099-01-01: no user input",)
