"""Which decisions count, and what a run does when its pull request is merged or its ref moves."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment

from activities.source import SourceRequest
from regreen.contracts.reviewer import ReviewerAnswer, ReviewerQuestion
from regreen.contracts.run import BaseMoved, Merge, RunReport, SourceFetched
from regreen.pipeline_file import ApprovalSection, Pipeline
from tests.workflow.running import (
    Run,
    current_details,
    failure_of,
    recorded,
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
    PULL_REQUEST,
    RED,
    SOURCE,
    UNIT_ONLY,
    red,
)
from tests.workflow.scripted_activities import Script, refusal, serving
from workflows.pipeline import PipelineWorkflow

pytestmark = pytest.mark.timeout(60)

MERGED = "e" * 40
MOVED = "f" * 40
MERGE_MAY_FOLLOW = timedelta(minutes=2)


def _script(pipeline: Pipeline = UNIT_ONLY, trees: dict[str, str] | None = None, **policy: Any):
    """A run that is red once and healed; `trees` are those of other commits than its own."""
    approval = ApprovalSection.model_validate(policy)
    wanted = pipeline.model_copy(update={"approval": approval})

    def fetch(asked: SourceRequest) -> SourceFetched:
        tree = {SOURCE.commit: SOURCE.tree, **(trees or {})}.get(asked.commit)
        if tree is None:
            raise ApplicationError("no such commit", type="SourceMissing", non_retryable=True)
        source = SOURCE.model_copy(update={"commit": asked.commit, "tree": tree})
        return SourceFetched(source=source, pipeline=wanted)

    script = Script(ALL_GREEN)
    script.answer("fetch_source", fetch)
    script.answer("run_tests", red(RED), GREEN)
    return script


async def _waiting_run(env: WorkflowEnvironment, **changes: Any) -> Run:
    with env.with_time_skipping_disabled():
        run = await start_run(env.client, **changes)
    await waiting(run)
    return run


async def _refused(run: Run, count: int = 1) -> list[str]:
    """The reasons of refused reviews, once there are so many."""
    async with asyncio.timeout(20):
        while len((report := await report_of(run)).refused_reviews) < count:
            await asyncio.sleep(0.02)
    return [refused.reason for refused in report.refused_reviews]


async def _merge(run: Run, commit: str = MERGED, by: str = "Ada") -> None:
    await run.signal(PipelineWorkflow.merged, Merge(commit=commit, merged_by=by))


@pytest.mark.parametrize(
    ("binding", "reason"),
    [
        ({"tree": SOURCE.tree}, "it is of tree aaaaaaaaaaaa; what waits is tree bbbbbbbbbbbb"),
        ({"commit": "9" * 40}, "it is of commit 999999999999; what waits is commit dddddddddddd"),
    ],
)
async def test_an_outdated_approval_is_refused_with_the_reason_everywhere(
    env: WorkflowEnvironment,
    worker_client: Client,
    binding: dict[str, str],
    reason: str,
) -> None:
    script = _script()
    async with serving(worker_client, script):
        run = await _waiting_run(env)
        await send(run, "approve", **binding)
        assert await _refused(run) == [reason]
        assert (await waiting(run)).state == "waiting"
        assert f"Refused: approve by Ada (temporal-ui): {reason}" in await current_details(run)
        await send(run, "approve", commit=PULL_REQUEST.head, tree=PULL_REQUEST.tree)
        assert (await run.result()).state == "passed"
    [comment] = script.given("comment_on_pull_request")
    assert reason in comment.text
    assert [event.action for event in recorded(script, "review-refused", "approved")] == [
        "review-refused",
        "approved",
    ]


async def test_four_eyes_are_those_of_two_people(
    env: WorkflowEnvironment, worker_client: Client
) -> None:
    script = _script(approvals=2)
    async with serving(worker_client, script):
        run = await _waiting_run(env)
        assert (await report_of(run)).reason == "approval of #1 (0 of 2 people)"
        await send(run, "approve", reviewer="Ada")
        await send(run, "approve", reviewer="ada")
        assert await _refused(run) == ["ada has approved already; it takes another person"]
        assert (await report_of(run)).reason == "approval of #1 (1 of 2 people)"
        await send(run, "approve", reviewer="Grace", comment="fine")
        report = await run.result()
    [approval] = [stage for stage in report.stages if stage.name == "approval"]
    assert approval.summary == (
        "approved by Ada (temporal-ui); approved by Grace (temporal-ui): fine"
    )


async def test_one_rejection_outweighs_approvals(
    env: WorkflowEnvironment, worker_client: Client
) -> None:
    script = _script(approvals=3)
    async with serving(worker_client, script):
        run = await _waiting_run(env)
        await send(run, "approve", reviewer="Ada")
        await send(run, "reject", reviewer="Grace")
        kind, report = await failure_of(run)
    assert (kind, report.reason) == ("PipelineRejected", "rejected by Grace (temporal-ui)")


@pytest.mark.parametrize("decision", ["approve", "reject"])
async def test_the_forge_says_who_may_decide_by_a_review(
    env: WorkflowEnvironment, worker_client: Client, decision: str
) -> None:
    def check(question: ReviewerQuestion) -> ReviewerAnswer:
        stranger = question.reviewer == "mallory"
        return ReviewerAnswer(refused="mallory may not write" if stranger else "")

    script = _script()
    script.answer("check_reviewer", check)
    async with serving(worker_client, script):
        run = await _waiting_run(env)
        await send(run, decision, reviewer="mallory", source="webhook")
        assert await _refused(run) == ["mallory may not write"]
        await send(run, "approve", reviewer="Ada", source="webhook")
        assert (await run.result()).state == "passed"
    asked = script.given("check_reviewer")
    assert [question.reviewer for question in asked] == ["mallory", "Ada"]
    assert not asked[0].author_refused and asked[0].owners_of_patched == ()


async def test_the_policy_on_authors_and_owners_holds_wherever_a_decision_comes_from(
    env: WorkflowEnvironment, worker_client: Client
) -> None:
    script = _script(author="refused", code_owners=True)
    script.answer("check_reviewer", ReviewerAnswer(refused="Ada made the commit"), ReviewerAnswer())
    async with serving(worker_client, script):
        run = await _waiting_run(env)
        await send(run, "approve", reviewer="Ada", source="command-line")
        assert await _refused(run) == ["Ada made the commit"]
        await send(run, "approve", reviewer="Grace")
        assert (await run.result()).state == "passed"
    asked = script.given("check_reviewer")[0]
    assert asked.author_refused
    assert [patch.name for patch in asked.owners_of_patched] == ["one.patch"]


async def test_the_merged_commit_with_the_approved_tree_is_released_without_new_tests(
    env: WorkflowEnvironment, worker_client: Client
) -> None:
    script = _script(FULL, {MERGED: PULL_REQUEST.tree})
    async with serving(worker_client, script):
        run = await _waiting_run(env)
        tests = len(script.given("run_tests"))
        await _merge(run)
        await _merge(run)
        report = await run.result()
    assert report.state == "released"
    [approval] = [stage for stage in report.stages if stage.name == "approval"]
    assert approval.summary == "merged by Ada as eeeeeeeeeeee, the approved tree"
    assert len(script.given("run_tests")) == tests
    assert len(script.given("package_distribution")) == 1
    [tag] = script.given("create_tag")
    assert tag.commit == MERGED
    [attested] = script.given("attest_files")
    assert attested.workspace.source.commit == MERGED
    assert attested.workspace.patches == ()
    assert [heal.stage for heal in attested.heals] == ["unit"]
    assert [review.reviewer for review in attested.approvals] == ["Ada"]
    assert report.pull_request is not None and report.pull_request.number == 1


async def test_another_tree_is_verified_again_and_what_it_tried_before_counts(
    env: WorkflowEnvironment, worker_client: Client
) -> None:
    script = _script(trees={MERGED: "1" * 40})
    async with serving(worker_client, script):
        run = await _waiting_run(env)
        before = len(script.given("run_tests"))
        await _merge(run)
        report = await run.result()
    assert report.state == "passed"
    again = script.given("run_tests")[before:]
    assert [asked.workspace.source.commit for asked in again] == [MERGED]
    assert again[0].workspace.patches == ()
    [unit] = [stage for stage in report.stages if stage.name == "unit"]
    assert unit.state == "passed"
    assert [attempt.number for attempt in unit.attempts] == [1]
    [approval] = [stage for stage in report.stages if stage.name == "approval"]
    assert (approval.state, approval.summary) == (
        "passed",
        "approved by Ada (webhook): merged as eeeeeeeeeeee",
    )


async def test_a_merged_tree_that_is_red_is_healed_within_what_is_left_and_asked_about_again(
    env: WorkflowEnvironment, worker_client: Client
) -> None:
    script = _script(trees={MERGED: "1" * 40})
    async with serving(worker_client, script):
        run = await _waiting_run(env)
        script.answer("run_tests", red(RED), GREEN)
        with env.with_time_skipping_disabled():
            await _merge(run)
            async with asyncio.timeout(20):
                while len(script.given("publish_pull_request")) < 2:
                    await asyncio.sleep(0.02)
            await waiting(run)
        await env.fast_forward(run, MERGE_MAY_FOLLOW)
        assert (await report_of(run)).approvals == ()
        await send(run, "approve", reviewer="Grace")
        report = await run.result()
    [unit] = [stage for stage in report.stages if stage.name == "unit"]
    assert [attempt.number for attempt in unit.attempts] == [1, 2]
    first, second = script.given("publish_pull_request")
    assert second.run_id == f"{first.run_id}/{MERGED[:12]}"
    assert len(second.heals) == 1
    assert second.source.commit == MERGED


async def test_a_merge_by_somebody_who_may_not_approve_waits_for_somebody_who_may(
    env: WorkflowEnvironment, worker_client: Client
) -> None:
    script = _script(trees={MERGED: PULL_REQUEST.tree})
    script.answer("check_reviewer", ReviewerAnswer(refused="mallory may not"), ReviewerAnswer())
    async with serving(worker_client, script):
        run = await _waiting_run(env)
        await _merge(run, by="mallory")
        [reason] = await _refused(run)
        assert reason == "mallory may not; the merge stands, the run waits for an approval"
        await send(run, "approve", reviewer="Ada", source="webhook")
        report = await run.result()
    [approval] = [stage for stage in report.stages if stage.name == "approval"]
    assert approval.summary == "merged by mallory as eeeeeeeeeeee, the approved tree"


async def test_a_merged_commit_that_cannot_be_fetched_ends_the_run_with_the_cause(
    env: WorkflowEnvironment, worker_client: Client
) -> None:
    script = _script()
    async with serving(worker_client, script):
        run = await _waiting_run(env)
        await _merge(run)
        kind, report = await failure_of(run)
    assert kind == "PipelineFailed"
    assert report.reason == "approval: merged by Ada as eeeeeeeeeeee, but no such commit"


async def _moved(run: Run, commit: str = MOVED) -> None:
    await run.signal(PipelineWorkflow.base_moved, BaseMoved(commit=commit))


async def test_a_moved_base_changes_nothing_unless_the_policy_says_so(
    env: WorkflowEnvironment, worker_client: Client
) -> None:
    script = _script()
    async with serving(worker_client, script):
        run = await _waiting_run(env)
        await _moved(run)
        await send(run, "approve")
        report = await run.result()
    assert (report.state, len(script.given("fetch_source"))) == ("passed", 1)


async def test_a_moved_base_cancels(env: WorkflowEnvironment, worker_client: Client) -> None:
    script = _script(moved_base="cancel")
    async with serving(worker_client, script):
        run = await _waiting_run(env)
        await _moved(run)
        await env.fast_forward(run, MERGE_MAY_FOLLOW)
        kind, report = await failure_of(run)
    assert (kind, report.state) == ("PipelineCancelled", "cancelled")
    assert report.reason == "main has moved to ffffffffffff while the run waited"


async def test_a_moved_base_that_is_the_merge_itself_cancels_nothing(
    env: WorkflowEnvironment, worker_client: Client
) -> None:
    script = _script(trees={MERGED: PULL_REQUEST.tree}, moved_base="cancel")
    async with serving(worker_client, script):
        run = await _waiting_run(env)
        with env.with_time_skipping_disabled():
            await _moved(run, MERGED)
            await _merge(run)
            assert (await run.result()).state == "passed"


async def test_heals_are_put_on_a_moved_base_and_asked_about_again(
    env: WorkflowEnvironment, worker_client: Client
) -> None:
    script = _script(trees={MOVED: "2" * 40}, moved_base="rebase")
    rebased = PULL_REQUEST.model_copy(update={"head": "7" * 40, "tree": "8" * 40})
    script.answer("publish_pull_request", PULL_REQUEST, rebased)
    async with serving(worker_client, script):
        run = await _waiting_run(env)
        await _moved(run)
        await env.fast_forward(run, MERGE_MAY_FOLLOW)
        async with asyncio.timeout(20):
            while (await report_of(run)).tree != rebased.tree:
                await asyncio.sleep(0.02)
        report = await waiting(run)
        assert states(report)["unit"] == "passed"
        await send(run, "approve", tree=PULL_REQUEST.tree)
        assert len(await _refused(run)) == 1
        await send(run, "approve", tree=rebased.tree)
        ended: RunReport = await run.result()
    assert ended.state == "passed"
    second = script.given("publish_pull_request")[1]
    assert (second.source.commit, second.branch) == (MOVED, PULL_REQUEST.branch)
    last = script.given("run_tests")[-1].workspace
    assert (last.source.commit, len(last.patches)) == (MOVED, 1)


async def test_heals_that_do_not_fit_a_moved_base_end_the_run(
    env: WorkflowEnvironment, worker_client: Client
) -> None:
    def publish(content: Any) -> Any:
        if content.source.commit == MOVED:
            raise ApplicationError("git apply: does not apply", type="X", non_retryable=True)
        return PULL_REQUEST

    script = _script(trees={MOVED: "2" * 40}, moved_base="rebase")
    script.answer("publish_pull_request", publish)
    async with serving(worker_client, script):
        run = await _waiting_run(env)
        await _moved(run)
        await env.fast_forward(run, MERGE_MAY_FOLLOW)
        kind, report = await failure_of(run)
    assert kind == "PipelineCancelled"
    assert report.reason == ("main has moved to ffffffffffff; no rebase: git apply: does not apply")


async def test_a_person_whom_the_forge_says_nothing_of_is_refused_and_may_decide_again(
    env: WorkflowEnvironment, worker_client: Client
) -> None:
    script = _script(author="refused")
    silent = refusal("ForgeRefused", "reviewer of example/shop: GitHub answered 404")
    script.answer("check_reviewer", silent, ReviewerAnswer())
    async with serving(worker_client, script):
        run = await _waiting_run(env)
        await send(run, "approve")
        assert await _refused(run) == [
            "it cannot be found out whether Ada may decide "
            "(reviewer of example/shop: GitHub answered 404)"
        ]
        await send(run, "approve")
        assert (await run.result()).state == "passed"


@pytest.mark.parametrize(("decision", "state"), [("approve", "passed"), ("reject", "rejected")])
async def test_a_decision_counts_whether_the_forge_takes_it_or_not(
    env: WorkflowEnvironment, worker_client: Client, decision: str, state: str
) -> None:
    script = _script()
    gone = refusal("ForgeRefused", "decision on example/shop#1: GitHub answered 404")
    script.answer("decide_pull_request", gone)
    async with serving(worker_client, script):
        run = await _waiting_run(env)
        await send(run, decision)
        ended = await run.result() if state == "passed" else (await failure_of(run))[1]
    assert ended.state == state
    [event] = recorded(script, "not-told")
    assert event.detail.endswith("on #1: decision on example/shop#1: GitHub answered 404")
