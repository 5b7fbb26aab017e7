"""The scripted day: pushed, red, healed, reviewed and released over HTTP, with repetitions."""

import itertools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from regreen.contracts.run import RunReport
from tests.doubles.chat import Service
from tests.e2e.conftest import MakeProgram
from tests.e2e.day_events import commented, pull_request, pushed, reviewed, squashed
from tests.e2e.plain_repository import git
from tests.e2e.regreen_program import stage, wait_until
from tests.e2e.scripted_day import NAME, Day, kills, scripted_day
from tests.e2e.server_questions import executions, handled, reconciled

pytestmark = pytest.mark.timeout(600)

_KILLS = int(os.environ.get("REGREEN_TEST_DAY_KILLS", "1"))
_TOLD = ["started", "healed", "waiting", "released"]
_SERVICES: tuple[Service, ...] = ("slack", "discord")


def _waits(report: RunReport) -> bool:
    return report.state == "waiting"


def _is_released(report: RunReport) -> bool:
    return report.state == "released"


def _live(day: Day, between: Callable[[str], None]) -> None:
    """The day's steps; `between` happens between them, before the run gets to a state if named."""
    day.begin()
    push = pushed(day, "main", day.commit)
    day.deliver(("star", push[1]))
    day.deliver(pushed(day, "feature/slow", day.commit))
    day.deliver(push, times=3)
    between("")
    between("waiting")
    day.wait_for(_waits, "the run to wait")
    day.deliver(pushed(day, day.pull.head, day.head, "regreen"))
    day.deliver(pull_request(day, "opened"))
    day.deliver(commented(day, "ada", "What is this?"))
    day.deliver(commented(day, "mallory", "/regreen approve"), times=2)
    between("")
    day.deliver(reviewed(day, "mallory", "approved"), times=2)
    day.deliver(reviewed(day, "grace", "approved", day.commit))
    day.wait_for(lambda report: len(report.refused_reviews) == 3, "three refusals")
    approval = reviewed(day, "grace", "approved")
    day.deliver(approval, times=4)
    between("")
    # Before the push that it came after, once more.
    day.deliver(approval)
    day.deliver(push)
    between("released")
    day.wait_for(_is_released, "the release")
    day.deliver(pushed(day, "refs/tags/v1.0.0", day.head, "regreen"))
    between("")
    day.wait_until_told()


def _released(day: Day, commit: str) -> Any:
    """One run has healed once and released the commit once; the run's document."""
    run = day.program.run("status", day.commit, "--json").document
    assert (run["state"], run["workflow_id"]) == ("released", day.run)
    assert stage(run, "unit")["state"] == "healed"
    assert [attempt["number"] for attempt in stage(run, "unit")["attempts"]] == [1]
    listed = day.program.run("list", "--json").document
    assert [each["commit"] for each in listed] == [day.commit]
    tested = executions(day.program.state, "WorkflowType = 'TestStageWorkflow'")
    assert tested == [f"{day.run}/unit"]

    state = day.github.state
    [release] = state.releases.values()
    assert (release.draft, release.tag_name) == (False, "v1.0.0")
    names = [asset.name for asset in state.assets_of(release.id)]
    assert len(names) == len(set(names)) > 5
    assert git(day.bare, "tag") == "v1.0.0"
    assert git(day.bare, "rev-parse", "v1.0.0^{commit}") == commit
    assert git(day.bare, "rev-parse", f"{commit}^") == day.commit
    assert (day.pull.draft, day.pull.base) == (True, "main")
    remarks = [remark.body for remark in state.remarks]
    assert len(remarks) == len(set(remarks))
    checks = {check["name"]: check["conclusion"] for check in state.check_runs.values()}
    assert checks["regreen / unit"] == "action_required"
    assert checks["regreen / release"] == "success"
    assert len(checks) == len(state.check_runs)

    audited = day.program.run("audit", day.run, "--verify", "--json")
    assert audited.code == 0, audited.errors
    actions = [line["action"] for line in audited.document["lines"]]
    for once in ("run-started", "pull-request-opened", "approved", "released", "run-ended"):
        assert actions.count(once) == 1, once
    assert actions.count("review-refused") == len(run["refused_reviews"])
    verified = day.program.run("verify", run["release"]["directory"])
    assert verified.code == 0, verified.output
    return run


def _proves(day: Day) -> None:
    """Everything has happened, and once."""
    run = _released(day, day.head)
    assert stage(run, "approval")["summary"] == "approved by grace (webhook)"
    assert git(day.bare, "rev-parse", "main") == day.commit
    refused = [(each["reviewer"], each["source"]) for each in run["refused_reviews"]]
    assert sorted(refused) == [("grace", "webhook"), ("mallory", "webhook"), ("mallory", "webhook")]
    assert day.statuses == {202, 204}


def _there(day: Day) -> tuple[object, ...]:
    """What the day has brought about, inside and outside."""
    state = day.github.state
    runs = executions(day.program.state, "WorkflowType = 'PipelineWorkflow'")
    outside = len(state.releases), len(state.remarks), len(state.check_runs), git(day.bare, "tag")
    return day.report(), runs, len(day.services.shown), *outside


def test_the_scripted_day(make_program: MakeProgram, tmp_path: Path) -> None:
    with scripted_day(make_program, tmp_path) as day:
        _live(day, between=lambda _: None)
        _proves(day)
        assert [day.told(service) for service in _SERVICES] == [_TOLD, _TOLD]


@pytest.mark.parametrize("seed", range(_KILLS))
def test_the_scripted_day_with_processes_killed_between_its_steps(
    make_program: MakeProgram, tmp_path: Path, seed: int
) -> None:
    with scripted_day(make_program, tmp_path) as day:
        _live(day, between=kills(day, seed))
        _proves(day)
        for service in _SERVICES:
            shown = [(kind, len(list(each))) for kind, each in itertools.groupby(day.told(service))]
            assert [kind for kind, _ in shown] == _TOLD
            # Neither can tell a repetition of what a killed publisher has sent.
            assert max(times for _, times in shown) <= 2


def test_without_webhooks_the_reconciler_brings_a_run_to_its_release(
    make_program: MakeProgram, tmp_path: Path
) -> None:
    with scripted_day(make_program, tmp_path) as day:
        pushed(day, "main", day.commit)
        day.begin("up", "gateway-0")
        day.wait_for(_waits, "the run to wait")
        reviewed(day, "mallory", "approved")
        reviewed(day, "grace", "approved")

        passed = reconciled(day.program.state, NAME)

        assert passed.delivered == 3
        day.wait_for(_is_released, "the release")
        day.wait_until_told()
        run = _released(day, day.head)
        assert stage(run, "approval")["summary"] == "approved by grace (webhook)"
        assert [each["reviewer"] for each in run["refused_reviews"]] == ["mallory"]
        done = handled(day.program.state, NAME)
        assert len(done) == 3
        before = _there(day)

        again = reconciled(day.program.state, NAME)

        assert again.delivered == 3
        assert handled(day.program.state, NAME) == done
        assert _there(day) == before


@pytest.mark.parametrize("push_first", [True, False])
def test_a_merged_pull_request_is_released_as_it_was_merged(
    make_program: MakeProgram, tmp_path: Path, push_first: bool
) -> None:
    with scripted_day(make_program, tmp_path) as day:
        day.begin("up", "gateway-0")
        day.deliver(pushed(day, "main", day.commit))
        day.wait_for(_waits, "the run to wait")
        made, merge, push = squashed(day, "grace")

        for delivery in (push, merge) if push_first else (merge, push):
            day.deliver(delivery)

        day.wait_for(_is_released, "the release")
        day.wait_until_told()
        wait_until(lambda: len(handled(day.program.state, NAME)) == 3, "both events")
        day.deliver(push)
        day.deliver(merge)
        run = _released(day, made)
        summary = f"merged by grace as {made[:12]}, the approved tree"
        assert stage(run, "approval")["summary"] == summary
        assert run["refused_reviews"] == []
        assert day.told("slack") == _TOLD
