"""The scripted day: pushed, red, healed, reviewed and released over HTTP, with repetitions."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import MakeProgram
from tests.e2e.plain_repository import git
from tests.e2e.regreen_program import stage, wait_until
from tests.e2e.scripted_day import Day, disturbances, scripted_day

pytestmark = pytest.mark.timeout(900)

_KILLS = int(os.environ.get("REGREEN_TEST_DAY_KILLS", "1"))


def _live(day: Day, between: Callable[[], None]) -> None:
    """The day's steps; `between` happens between each two."""
    day.begin()
    day.deliver("star", day.push("main", day.commit))
    day.deliver("push", day.push("feature/slow", day.commit))
    between()
    day.deliver("push", day.push("main", day.commit), times=3)
    between()
    day.wait_for("waiting")
    between()
    day.deliver("pull_request", day.pull_request("opened"))
    day.deliver("issue_comment", day.comment("ada", "What is this?"))
    day.deliver("issue_comment", day.comment("mallory", "/regreen approve"), times=2)
    day.deliver("pull_request_review", day.review("mallory", "approved"), times=2)
    between()
    day.deliver("pull_request_review", day.review("grace", "approved", day.commit))
    day.wait_until(lambda run: len(run["refused_reviews"]) == 3, "three refusals")
    between()
    approval = day.review("grace", "approved")
    day.deliver("pull_request_review", approval, times=4)
    between()
    # Before the push that it came after, once more.
    day.deliver("pull_request_review", approval)
    day.deliver("push", day.push("main", day.commit))
    day.wait_for("released")
    between()
    wait_until(lambda: "released" in day.told(), "the last announcement", 60)


def _proves(day: Day) -> None:
    """Everything has happened, and once."""
    run = day.run()
    assert run["state"] == "released"
    assert stage(run, "unit")["state"] == "healed"
    assert [attempt["number"] for attempt in stage(run, "unit")["attempts"]] == [1]
    assert stage(run, "approval")["summary"] == "approved by grace (webhook)"
    listed = day.program.run("list", "--json").document
    assert [each["commit"] for each in listed] == [day.commit]

    state = day.github.state
    assert (day.pull.draft, day.pull.base) == (True, "main")
    [release] = state.releases.values()
    assert (release.draft, release.tag_name) == (False, "v0.1.0")
    names = [asset.name for asset in state.assets_of(release.id)]
    assert len(names) == len(set(names)) > 5
    bare = state.git
    assert bare is not None
    assert git(bare, "rev-parse", "v0.1.0^{commit}") == day.head
    assert git(bare, "rev-parse", f"{day.head}^") == day.commit
    assert git(bare, "rev-parse", "refs/heads/main") == day.commit

    refused = [(each["reviewer"], each["source"]) for each in run["refused_reviews"]]
    assert sorted(refused) == [("grace", "webhook"), ("mallory", "webhook"), ("mallory", "webhook")]
    kinds = ["started", "healed", "waiting", "released"]
    assert day.told() == kinds
    assert len(day.services.bodies("discord")) == len(kinds)
    checks = {check["name"]: check["conclusion"] for check in state.check_runs.values()}
    assert checks["regreen / unit"] == "action_required"
    assert checks["regreen / release"] == "success"
    assert len(checks) == len(state.check_runs)

    audited = day.program.run("audit", run["workflow_id"], "--verify", "--json")
    assert audited.code == 0, audited.errors
    actions = [line["action"] for line in audited.document["lines"]]
    assert actions.count("approved") == 1
    assert actions.count("review-refused") == 3
    assert {status for _, status in day.answers if status < 500} == {202, 204}
    verified = day.program.run("verify", run["release"]["directory"])
    assert verified.code == 0, verified.output


def test_the_scripted_day(make_program: MakeProgram, tmp_path: Path) -> None:
    with scripted_day(make_program, tmp_path) as day:
        _live(day, between=lambda: None)
        _proves(day)


@pytest.mark.parametrize("seed", range(_KILLS))
def test_the_scripted_day_with_processes_killed_between_its_steps(
    make_program: MakeProgram, tmp_path: Path, seed: int
) -> None:
    with scripted_day(make_program, tmp_path) as day:
        kills = disturbances(seed)
        _live(day, between=lambda: day.kill(next(kills)))
        _proves(day)
