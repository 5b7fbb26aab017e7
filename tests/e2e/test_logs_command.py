"""`regreen logs` shows what steps print while they run, through outages and killed workers."""

import json
from pathlib import Path

from tests.e2e.cuttable_network import network_to
from tests.e2e.plain_repository import plain_repository
from tests.e2e.regreen_program import Program, Started, tree_of, wait_until

COUNT = 8
FILES = {
    "shop.py": "def total(prices):\n    return sum(prices)\n",
    "test_shop.py": (
        "import time\n\nfrom shop import total\n\n\n"
        "def test_it():\n"
        f"    for n in range({COUNT}):\n"
        "        print('item', n, flush=True)\n"
        "        time.sleep(0.5)\n"
        "    assert total([1]) == 1\n"
    ),
    "regreen.yaml": "lint: null\nsecurity: null\npackage: null\nunit:\n  arguments: [-s]\n",
}
ITEMS = [f"item {n}" for n in range(COUNT)]


def _output(started: Started) -> str:
    return started.output.read_text("utf-8")


def _wait_for(started: Started, text: str) -> None:
    wait_until(
        lambda: text in _output(started) or started.process.poll() is not None,
        f"{text!r}, it printed:\n{_output(started)}",
    )
    assert text in _output(started), started.said()


def _items(output: str) -> list[str]:
    return [line.rpartition("│ ")[2] for line in output.splitlines() if "│ item" in line]


def test_lines_come_while_the_step_runs_and_once_though_the_network_is_cut(
    hosted: Program, tmp_path: Path
) -> None:
    repository = plain_repository(tmp_path / "shop", FILES)
    known = json.loads((hosted.state / "server.json").read_text("utf-8"))
    run = hosted.run("run", repository, "--detach").output.strip()

    with network_to(known["address"]) as network:
        variables = {**hosted.variables, "TEMPORAL_ADDRESS": network.address}
        program = Program(hosted.folder, hosted.state, variables)
        with program.start("logs", run, "--follow") as started:
            _wait_for(started, "unit        │ item 1\n")
            assert ITEMS[-1] not in _output(started)
            network.cut()
            started.wait_until_it_says("the server went away; connecting again")
            network.mend()
            ended = started.wait()

    assert ended.code == 0, ended.errors
    assert _items(ended.output) == ITEMS
    assert "unit        ├ run_tests\n" in ended.output
    later = hosted.run("logs", run, "--stage", "unit")
    assert (later.code, _items(later.output)) == (0, ITEMS)
    nothing = hosted.run("logs", run, "--stage", "load")
    assert (nothing.code, nothing.output) == (0, "")
    assert nothing.errors.startswith("note: there is no output of load: no command has run")


def test_the_attempt_after_a_killed_one_appears_as_such(program: Program, tmp_path: Path) -> None:
    repository = plain_repository(tmp_path / "shop", FILES)
    with program.start("run", repository, "--json") as started:
        started.wait_until_it_says("unit: running")
        with program.start("logs", "pipeline", "--follow", "--json") as followed:
            _wait_for(followed, '"item 1"')
            runner = next(
                each for each in tree_of(started.process.pid) if "runner" in each.cmdline()
            )

            runner.kill()

            ended = followed.wait()
        assert started.wait().code == 0
    assert ended.code == 0, ended.errors
    lines = [json.loads(line) for line in ended.output.splitlines()]
    assert {(line["stage"], line["step"]) for line in lines} == {("unit", "run_tests")}
    first = [line["line"] for line in lines if line["attempt"] == 1]
    assert first == ITEMS[: len(first)]
    second = [line["line"] for line in lines if line["attempt"] == 2]
    assert [line for line in second if line in ITEMS] == ITEMS
    assert [line["attempt"] for line in lines] == sorted(line["attempt"] for line in lines)


def test_mistakes_are_told_in_one_line(hosted: Program) -> None:
    unknown = hosted.run("logs", "nothing-like-it")
    assert (unknown.code, unknown.output) == (2, "")
    assert unknown.errors.startswith("error: no run `nothing-like-it`")
    stage = hosted.run("logs", "nothing-like-it", "--stage", "units")
    assert stage.code == 2
    assert stage.errors.startswith("error: no stage `units`; stages: source, build, unit,")
