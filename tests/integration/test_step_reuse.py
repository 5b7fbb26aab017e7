"""Steps that come back with an earlier result: when they may, and when they must not."""

from pathlib import Path
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities import bandit
from activities.artifact_store import local_path, put_bytes
from activities.bandit import scan_python
from activities.build import build_environment
from activities.gitleaks import scan_secrets
from activities.step_reuse import reusable
from regreen.contracts.gates import Scan
from regreen.contracts.run import StageRequest, StageVerdict
from regreen.pipeline_file import Pipeline
from regreen.settings import load_settings
from tests.integration.gate_repository import Files, stage_request, weighed

FILES: Files = {"shop.py": "import subprocess\n\nsubprocess.run(input(), shell=True)\n"}

pytestmark = pytest.mark.usefixtures("own_state")


async def asked(
    folder: Path, *commits: Files, stage: str = "security", **pipeline: Any
) -> StageRequest:
    """A request of a step that may reuse; the repository is made anew in `folder`."""
    made = Pipeline.model_validate(pipeline)
    request = await stage_request(folder, stage, made, commits or [FILES])
    return request.model_copy(update={"reuse": True})


class Counted:
    """A step that counts how often it did its work."""

    def __init__(self) -> None:
        self.times = 0
        self.answer = StageVerdict(state="passed", summary="counted")

        @reusable(section="security", tools=())
        async def step(request: StageRequest) -> StageVerdict:
            self.times += 1
            return self.answer

        self.run = step


async def test_the_same_tree_gives_the_same_scan_without_the_tool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = await asked(tmp_path / "first")
    first = await scan_python(request)
    assert first.reused == ""

    async def never(*_: Any) -> None:
        raise AssertionError("bandit was run again")

    monkeypatch.setattr(bandit, "_examine", never)
    other_commit = await asked(tmp_path / "second", {"shop.py": "x = 1\n"}, FILES)
    again = await scan_python(other_commit)
    assert again.reused.startswith(f"the run of {request.workspace.source.commit[:12]}, ")
    assert again == first.model_copy(update={"reused": again.reused})
    gate = await weighed(other_commit, again)
    assert (gate.state, gate.verdict.reused) == ("failed", again.reused)
    assert gate.summary.endswith(f"; reused from {again.reused}")


async def test_without_reuse_the_work_is_done_again(tmp_path: Path) -> None:
    step, request = Counted(), await asked(tmp_path / "repository")
    await step.run(request)
    assert (await step.run(request)).reused
    fresh = await step.run(request.model_copy(update={"reuse": False}))
    assert (fresh.reused, step.times) == ("", 2)


@pytest.mark.parametrize(
    ("commits", "pipeline", "again"),
    [
        ([{"shop.py": "x = 1\n"}], {}, True),
        ([FILES], {"security": {"severity": "high"}}, True),
        ([FILES], {"build": {"network": False}}, True),
        ([FILES], {"approval": {"required": "always"}}, False),
    ],
    ids=["tree", "own section", "environment", "another section"],
)
async def test_what_a_result_depends_on_is_its_key(
    tmp_path: Path, commits: list[Files], pipeline: dict[str, Any], again: bool
) -> None:
    step = Counted()
    await step.run(await asked(tmp_path / "first"))
    result = await step.run(await asked(tmp_path / "second", *commits, **pipeline))
    assert (step.times == 2, result.reused == "") == (again, again)


async def test_another_program_of_the_tool_is_another_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = await asked(tmp_path / "repository")
    first = await scan_secrets(request)
    assert (first.problem, (await scan_secrets(request)).reused != "") == ("", True)
    tools = tmp_path / "tools"
    (tools / "bin").mkdir(parents=True)
    broken = tools / "bin" / "gitleaks"
    broken.write_text("#!/bin/sh\necho garbage\n", "utf-8")
    broken.chmod(0o755)
    monkeypatch.setenv("REGREEN_TOOLS", str(tools))
    planted = await scan_secrets(request)
    assert planted.reused == ""
    assert planted.problem != ""


async def test_secrets_are_searched_again_in_another_history(tmp_path: Path) -> None:
    first = await scan_secrets(await asked(tmp_path / "first"))
    longer = await asked(tmp_path / "second", {"shop.py": "x = 1\n"}, FILES)
    assert (first.examined, (await scan_secrets(longer)).examined) == (1, 2)


async def test_a_failure_is_not_kept(tmp_path: Path) -> None:
    step, request = Counted(), await asked(tmp_path / "repository")
    step.answer = StageVerdict(state="failed", summary="no space left")
    await step.run(request)
    step.answer = StageVerdict(state="passed", summary="counted")
    assert (await step.run(request)).state == "passed"
    assert step.times == 2


@pytest.mark.parametrize(
    "found",
    [{"problem": "garbage"}, {"missing_tool": "bandit"}, {"examined": 0}, {"repeatable": False}],
    ids=["problem", "missing tool", "nothing examined", "not the same again"],
)
async def test_a_scan_that_does_not_count_is_not_kept(
    tmp_path: Path, found: dict[str, Any]
) -> None:
    times = 0

    @reusable(section="security", tools=())
    async def step(request: StageRequest) -> Scan:
        nonlocal times
        times += 1
        known = {"gate": "static-analysis", "tool": "bandit", "examined": 3}
        return Scan.model_validate(known | found)

    request = await asked(tmp_path / "repository")
    await step(request)
    await step(request)
    assert times == 2


async def test_a_record_whose_artifact_is_gone_is_not_used(tmp_path: Path) -> None:
    step, request = Counted(), await asked(tmp_path / "repository")
    report = await put_bytes("report.json", b"{}", "application/json")
    step.answer = StageVerdict(state="passed", summary="counted", artifacts=(report,))
    await step.run(request)
    stored = local_path(report, load_settings().artifacts_url)
    assert stored is not None
    stored.unlink()
    await step.run(request)
    assert step.times == 2


async def test_a_record_that_is_damaged_is_not_used(tmp_path: Path, own_state: Path) -> None:
    step, request = Counted(), await asked(tmp_path / "repository")
    await step.run(request)
    [record] = own_state.rglob("steps/*/*.json")
    record.write_bytes(record.read_bytes()[:20])
    assert (await step.run(request)).reused == ""
    assert (await step.run(request)).reused != ""


@pytest.mark.usefixtures("shared_environments")
async def test_the_build_is_reused_as_an_activity(tmp_path: Path) -> None:
    request = await asked(tmp_path / "repository", stage="build")
    first = await ActivityEnvironment().run(build_environment, request)
    again = await ActivityEnvironment().run(build_environment, request)
    assert (first.state, first.reused) == ("passed", "")
    assert again.reused != ""
    assert again.summary == first.summary
