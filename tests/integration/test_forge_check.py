"""Stages beside the commit on GitHub: check runs, and commit statuses where those are denied."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.forge_check import report_stage_on_forge
from regreen.contracts.forge_check import Annotation, StageOnForge
from tests.doubles.github.request import Answer
from tests.e2e.plain_repository import git
from tests.integration.forge_places import ForgePlace, forge_of_kind

pytestmark = pytest.mark.usefixtures("own_state")


@pytest.fixture
def forge(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ForgePlace]:
    with forge_of_kind("github", monkeypatch, tmp_path) as place:
        yield place


async def _report(forge: ForgePlace, state: str, **more: Any) -> None:
    told = StageOnForge.model_validate(
        {
            "repository": forge.name,
            "location": forge.location,
            "commit": git(forge.own, "rev-parse", "HEAD"),
            "run": "pipeline/example/shop/1",
            "run_id": "first",
            "stage": "unit",
            "state": state,
            **more,
        }
    )
    await ActivityEnvironment().run(report_stage_on_forge, told)


def _annotations(count: int) -> list[Annotation]:
    return [
        Annotation(path=f"tests/test_{n}.py", line=n, level="failure", title="red", message=f"{n}")
        for n in range(count)
    ]


def _only_check(forge: ForgePlace) -> dict[str, Any]:
    [run] = forge.github.state.check_runs.values()
    return run


@pytest.mark.parametrize(
    ("state", "conclusion"),
    [
        ("passed", "success"),
        ("healed", "action_required"),
        ("failed", "failure"),
        ("skipped", "skipped"),
        ("cancelled", "cancelled"),
    ],
)
async def test_a_stage_is_one_check_from_beginning_to_end(
    state: str, conclusion: str, forge: ForgePlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGREEN_UI", "https://temporal.example.org/")

    await _report(forge, "running")
    assert _only_check(forge)["status"] == "in_progress"
    for _ in range(2):
        await _report(forge, state, summary="2 of 41 failing; ask @ada")

    run = _only_check(forge)
    assert (run["name"], run["status"], run["conclusion"]) == (
        "regreen / unit",
        "completed",
        conclusion,
    )
    assert run["external_id"] == "pipeline/example/shop/1/first/unit"
    assert run["output"]["title"] == f"unit: {state}"
    assert "2 of 41 failing" in run["output"]["summary"]
    assert "@ada" not in run["output"]["summary"]
    assert run["details_url"] == (
        "https://temporal.example.org/namespaces/default/workflows/"
        "pipeline%2Fexample%2Fshop%2F1/first/timeline"
    )
    # What was on its way for long turns nothing back.
    await _report(forge, "running")
    assert _only_check(forge)["status"] == "completed"


async def test_another_stage_or_run_is_another_check(forge: ForgePlace) -> None:
    await _report(forge, "passed")
    await _report(forge, "passed", stage="security")
    await _report(forge, "passed", run_id="second")

    names = [run["name"] for run in forge.github.state.check_runs.values()]
    assert names == ["regreen / unit", "regreen / security", "regreen / unit"]


@pytest.mark.parametrize("before", ["running", None])
@pytest.mark.parametrize("moment", ["before", "after"])
async def test_more_annotations_than_a_request_takes_are_each_there_once(
    before: str | None, moment: str, forge: ForgePlace
) -> None:
    wanted = _annotations(120)
    if before:
        await _report(forge, before)
    forge.github.fails.append(("checks/update", moment))

    with pytest.raises(ApplicationError):
        await _report(forge, "failed", annotations=wanted)
    for _ in range(2):
        await _report(forge, "failed", annotations=wanted)

    there = _only_check(forge)["annotations"]
    assert [each["message"] for each in there] == [each.message for each in wanted]
    assert there[0]["start_line"] == there[1]["start_line"] == 1


async def test_what_has_no_file_is_in_the_text(forge: ForgePlace) -> None:
    remark = Annotation(level="warning", title="k6 <b>", message="p(95) is 812 ms")

    await _report(forge, "failed", annotations=[remark])

    run = _only_check(forge)
    assert run["annotations"] == []
    assert "p(95) is 812 ms" in run["output"]["text"]
    assert "<b>" not in run["output"]["text"].replace("\\<b\\>", "")


@pytest.mark.parametrize(
    ("state", "expected", "denied"),
    [
        ("running", "pending", "checks/create"),
        ("passed", "success", "checks/create"),
        ("healed", "failure", "checks/create"),
        ("failed", "failure", "checks/list-for-ref"),
        ("skipped", "success", "checks/create"),
        ("cancelled", "error", "checks/create"),
    ],
)
async def test_where_checks_are_denied_it_is_a_status(
    state: str, expected: str, denied: str, forge: ForgePlace
) -> None:
    forge.github.denied.add(denied)

    for _ in range(2):
        await _report(forge, state, summary="a long story " * 30)

    assert forge.github.state.check_runs == {}
    [status] = forge.github.state.statuses
    assert (status["context"], status["state"]) == ("regreen / unit", expected)
    assert len(status["description"]) <= 140
    assert status["description"].startswith(f"{state}: a long story")


async def test_a_status_follows_the_stage(forge: ForgePlace) -> None:
    forge.github.denied.add("checks/create")

    for state in ("running", "failed", "failed"):
        await _report(forge, state)

    assert [each["state"] for each in forge.github.state.statuses] == ["pending", "failure"]


async def test_a_limit_is_no_denial(forge: ForgePlace) -> None:
    message = "You have exceeded a secondary rate limit."
    answer = Answer(403, {"message": message}, headers={"Retry-After": "9"})
    forge.github.answers.append(("checks/create", answer))

    with pytest.raises(ApplicationError) as raised:
        await _report(forge, "passed")

    assert raised.value.type == "ForgeLimited"
    assert forge.github.state.statuses == []


async def test_a_local_repository_has_no_checks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with forge_of_kind("local", monkeypatch, tmp_path) as place:
        await _report(place, "passed")


def test_a_stage_has_only_so_many_annotations() -> None:
    with pytest.raises(ValidationError, match="annotations"):
        StageOnForge(
            repository="a/b",
            location="/a",
            commit="c",
            run="r",
            run_id="i",
            stage="unit",
            state="failed",
            annotations=tuple(_annotations(1001)),
        )
