"""kill -9 of everything at any moment: the next command goes on with the same run."""

import asyncio
import json
import re
import signal
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from tests.e2e.plain_repository import git, plain_repository, working_state
from tests.e2e.regreen_program import (
    Program,
    Started,
    kill_tree,
    stage,
    tree_of,
    wait_until,
    wait_until_gone,
)
from tests.e2e.storefront import storefront

pytestmark = pytest.mark.timeout(600)

COUNTING = """def total(prices):
    result = 0
    for price in prices:
        result -= price
    return result
"""
COUNTING_TESTS = """from counting import total


def test_nothing():
    assert total([]) == 0


def test_some():
    assert total([1, 2, 3]) == 6
"""

_TRIED = re.compile(r"search: ([\d,]+) of [\d,]+ candidates tried")

# Slow enough that a heal is still under way when the test has seen that it began.
SLOW_COUNTING_TESTS = COUNTING_TESTS.replace(
    "def test_some():\n", "def test_some():\n    time.sleep(0.6)\n"
).replace("from counting", "import time\n\nfrom counting")


async def _executions(program: Program) -> list[tuple[str, str]]:
    """Workflow id and run id of each pipeline that the state's server knows."""
    known = json.loads((program.state / "server.json").read_text("utf-8"))
    client = await Client.connect(known["address"], data_converter=pydantic_data_converter)
    query = 'WorkflowType = "PipelineWorkflow"'
    return [(each.id, each.run_id) async for each in client.list_workflows(query)]


def _executions_now(program: Program) -> list[tuple[str, str]]:
    return asyncio.run(_executions(program))


def _kill_everything(started: Started, *, before: str) -> None:
    assert before not in started.said(), "killed too late to prove anything"
    processes = kill_tree(started.process.pid)
    names = {process.pid for process in processes}
    assert len(names) >= 3, "the program, its server and its runner"
    started.process.wait(30)
    wait_until_gone(processes)


def test_killed_in_every_phase_the_shop_is_released_once(program: Program, tmp_path: Path) -> None:
    repository = storefront(tmp_path / "storefront")
    before = working_state(repository)
    tags = set(git(repository, "tag").splitlines())

    with program.start("run", repository, "--json") as started:
        started.wait_until_it_says("unit: running")
        first = _executions_now(program)
        _kill_everything(started, before="unit: healed")
    with program.start("run", repository, "--json") as started:
        started.wait_until_it_says("unit: heal attempt 1 of 8")
        _kill_everything(started, before="unit: healed")
    waiting = program.run("run", repository, "--json")
    assert waiting.code == 0, waiting.errors
    run = waiting.document
    assert run["state"] == "waiting"
    assert [(run["workflow_id"], run["run_id"])] == first
    assert "note: joining the run of" in waiting.errors
    with program.start("up") as started:
        started.wait_until_it_says("http://")
        assert _executions_now(program) == first
        _kill_everything(started, before="approval: passed")
    with program.start("approve", run["commit"], "--json") as started:
        started.wait_until_it_says("release: running")
        _kill_everything(started, before="release: passed")

    ended = program.run("run", repository, "--json")

    assert ended.code == 0, ended.errors
    final = ended.document
    assert final["state"] == "released"
    assert [(final["workflow_id"], final["run_id"])] == first
    attempts = stage(final, "unit")["attempts"]
    assert [attempt["number"] for attempt in attempts] == list(range(1, len(attempts) + 1))
    assert attempts == stage(run, "unit")["attempts"]
    assert attempts[-1]["verdict"] == "healed"
    releases = Path(final["release"]["directory"]).parent
    assert [path.name for path in releases.iterdir()] == [Path(final["release"]["directory"]).name]
    assert set(git(repository, "tag").splitlines()) - tags == {f"v{final['release']['version']}"}
    heals = git(repository, "for-each-ref", "--format=%(refname:short)", "refs/heads/auto-heal")
    assert heals.splitlines() == [final["pull_request"]["branch"]]
    records = list((program.state / "pull-requests").rglob("*.json"))
    assert [record.name for record in records] == ["1.json"]
    audit = program.run("audit", run["commit"], "--verify", "--json")
    assert audit.code == 0, audit.output
    assert audit.document["verification"]["signed"]
    told = [line for line in audit.document["lines"] if line["action"] == "heal-attempted"]
    assert [(line["number"], line["verdict"], line["patch"]) for line in told] == [
        (each["number"], each["verdict"], (each["patch"] or {}).get("sha256")) for each in attempts
    ]
    actions = [line["action"] for line in audit.document["lines"]]
    once = ("pull-request-opened", "approved", "released", "run-ended", "record-sealed")
    assert [actions.count(action) for action in once] == [1] * len(once)
    assert program.run("verify", final["release"]["directory"]).code == 0
    assert working_state(repository) == before
    for database in program.state.glob("temporal.db*"):
        database.unlink()
    forgotten = program.run("audit", run["commit"], "--verify", "--json")
    assert forgotten.code == 0, forgotten.errors
    assert forgotten.document["lines"] == audit.document["lines"]


def test_a_second_run_of_the_commit_joins_and_takes_over_from_a_killed_host(
    program: Program, tmp_path: Path
) -> None:
    repository = plain_repository(
        tmp_path / "counting", {"counting.py": COUNTING, "test_counting.py": SLOW_COUNTING_TESTS}
    )
    with program.start("run", repository, "--json") as host:
        wait_until((program.state / "server.json").exists, "the host's server")
        with program.start("run", repository, "--json") as joined:
            joined.wait_until_it_says("note: joining the run of")
            first = _executions_now(program)
            assert len(first) == 1
            host.wait_until_it_says("unit: heal attempt 1 of 8")
            wait_until(
                lambda: len(tree_of(host.process.pid)) > 3, "the server, the runner and a sandbox"
            )
            left_behind = tree_of(host.process.pid)[1:]

            host.kill()

            wait_until_gone(left_behind)
            ended = joined.wait()
            ours = tree_of(joined.process.pid)
    assert ended.code == 0, ended.errors
    assert "the server went away; connecting again" in ended.errors
    run = ended.document
    assert run["state"] == "waiting"
    assert [(run["workflow_id"], run["run_id"])] == first
    assert [each["number"] for each in stage(run, "unit")["attempts"]] == [1]
    assert ours == [], "no process outlives the program"


def test_a_killed_runner_comes_back_and_the_attempt_counts_once(
    program: Program, tmp_path: Path
) -> None:
    repository = plain_repository(
        tmp_path / "counting", {"counting.py": COUNTING, "test_counting.py": SLOW_COUNTING_TESTS}
    )
    with program.start("run", repository, "--json") as started:
        started.wait_until_it_says("unit: heal attempt 1 of 8")
        runner = next(each for each in tree_of(started.process.pid) if "runner" in each.cmdline())
        working = runner.children(recursive=True)

        runner.kill()

        wait_until_gone([runner, *working])
        ended = started.wait()
    assert ended.code == 0, ended.errors
    unit = stage(ended.document, "unit")
    assert unit["state"] == "healed"
    assert [each["number"] for each in unit["attempts"]] == [1]


def test_a_search_counts_on_after_its_runner_was_killed(program: Program, tmp_path: Path) -> None:
    hopeless = COUNTING_TESTS.replace("== 6", '== "never"')
    repository = plain_repository(
        tmp_path / "counting",
        {
            "counting.py": COUNTING,
            "test_counting.py": hopeless,
            "regreen.yaml": "healers: [search]\nheal:\n  search_seconds: 12s\n",
        },
    )
    with program.start("run", repository, "--json") as started:
        # The first line may come before the first candidate has ended.
        wait_until(lambda: _tried(started.said())[-1:] > [0], "a candidate that was tried")
        tried = _tried(started.said())
        runner = next(each for each in tree_of(started.process.pid) if "runner" in each.cmdline())
        working = runner.children(recursive=True)

        runner.kill()

        wait_until_gone([runner, *working])
        ended = started.wait()
    assert ended.code == 1, ended.errors
    [attempt] = stage(ended.document, "unit")["attempts"]
    assert (attempt["number"], attempt["verdict"]) == (1, "no_patch")
    again = _tried(ended.errors)[len(tried) :]
    assert all(later >= tried[-1] for later in again), ended.errors
    assert attempt["candidates"] >= tried[-1] > 0


def test_a_killed_server_comes_back_and_the_run_goes_on(program: Program, tmp_path: Path) -> None:
    repository = plain_repository(
        tmp_path / "counting", {"counting.py": COUNTING, "test_counting.py": SLOW_COUNTING_TESTS}
    )
    with program.start("run", repository, "--json") as started:
        started.wait_until_it_says("unit: running")
        first = _executions_now(program)
        server = next(
            each for each in tree_of(started.process.pid) if "start-dev" in each.cmdline()
        )

        server.kill()

        ended = started.wait()
    assert ended.code == 0, ended.errors
    assert [(ended.document["workflow_id"], ended.document["run_id"])] == first
    assert stage(ended.document, "unit")["state"] == "healed"
    assert "Traceback" not in ended.errors


def test_up_starts_a_killed_server_again_and_ends_when_told(program: Program) -> None:
    with program.start("up") as started:
        started.wait_until_it_says("Ctrl-C ends it")
        server = next(
            each for each in tree_of(started.process.pid) if "start-dev" in each.cmdline()
        )

        server.kill()

        started.wait_until_it_says("the server ended; starting it again")
        started.wait_until_it_says("Ctrl-C ends it", times=2)
        listed = program.run("list", "--json")
        assert (listed.code, listed.document) == (0, [])
        second = program.run("up")
        assert second.code == 2
        assert "a server is running or configured already" in second.errors
        processes = tree_of(started.process.pid)
        started.process.send_signal(signal.SIGTERM)
        assert started.wait().code == 0
        wait_until_gone(processes)


def test_an_interrupted_run_leaves_nothing_behind_and_goes_on(
    program: Program, tmp_path: Path
) -> None:
    repository = plain_repository(
        tmp_path / "counting", {"counting.py": COUNTING, "test_counting.py": SLOW_COUNTING_TESTS}
    )
    with program.start("run", repository, "--json") as started:
        started.wait_until_it_says("unit: heal attempt 1 of 8")
        first = _executions_now(program)
        processes = tree_of(started.process.pid)

        started.process.send_signal(signal.SIGINT)

        interrupted = started.wait()
        wait_until_gone(processes)
    assert interrupted.code == 130
    assert interrupted.output == ""
    assert "interrupted; a started run goes on" in interrupted.errors.splitlines()[-1]
    assert "Traceback" not in interrupted.errors

    ended = program.run("run", repository, "--json")

    assert ended.code == 0, ended.errors
    assert [(ended.document["workflow_id"], ended.document["run_id"])] == first
    unit = stage(ended.document, "unit")
    assert unit["state"] == "healed"
    assert [each["number"] for each in unit["attempts"]] == [1]


def test_started_twice_at_once_a_commit_has_one_run(program: Program, tmp_path: Path) -> None:
    repository = plain_repository(
        tmp_path / "counting",
        {"counting.py": COUNTING.replace("-=", "+="), "test_counting.py": COUNTING_TESTS},
    )
    with (
        program.start("run", repository, "--json") as one,
        program.start("run", repository, "--json") as other,
    ):
        ended = [one.wait(), other.wait()]
    assert [each.code for each in ended] == [0, 0], [each.errors for each in ended]
    assert {each.document["state"] for each in ended} == {"passed"}
    assert len({each.document["run_id"] for each in ended}) == 1
    assert sum("note: joining the run of" in each.errors for each in ended) == 1
    listed = program.run("list", "--json")
    assert [each["run_id"] for each in listed.document] == [ended[0].document["run_id"]]


def _tried(said: str) -> list[int]:
    """How many candidates each line of progress counts."""
    return [int(number.replace(",", "")) for number in _TRIED.findall(said)]
