"""The network goes away under a command that follows a run; the command and the run go on."""

import json
from pathlib import Path

from tests.e2e.cuttable_network import network_to
from tests.e2e.plain_repository import plain_repository
from tests.e2e.regreen_program import Program, stage

FILES = {
    "shop.py": "def total(prices):\n    return sum(prices)\n",
    "test_shop.py": (
        "import time\n\nfrom shop import total\n\n\n"
        "def test_it():\n    time.sleep(6)\n    assert total([1]) == 1\n"
    ),
    "regreen.yaml": "security: null\npackage: null\n",
}


def _through(hosted: Program, address: str) -> Program:
    """The same state, with the server's address as one that is configured."""
    return Program(hosted.folder, hosted.state, {**hosted.variables, "TEMPORAL_ADDRESS": address})


def test_a_cut_network_does_not_fail_the_job(hosted: Program, tmp_path: Path) -> None:
    repository = plain_repository(tmp_path / "shop", FILES)
    known = json.loads((hosted.state / "server.json").read_text("utf-8"))

    with network_to(known["address"]) as network:
        program = _through(hosted, network.address)
        with program.start("run", repository, "--json") as started:
            started.wait_until_it_says("unit: running")
            network.cut()
            started.wait_until_it_says("the server went away; connecting again, the run goes on")
            network.mend()
            ended = started.wait()

    assert ended.code == 0, ended.errors
    assert "note: the server answers again" in ended.errors
    assert ended.document["state"] == "passed"
    assert stage(ended.document, "unit")["summary"].startswith("1 of 1 green")


def test_a_server_that_never_answered_is_an_error_at_once(hosted: Program, tmp_path: Path) -> None:
    repository = plain_repository(tmp_path / "shop", FILES)
    with network_to("127.0.0.1:1") as network:
        network.cut()

        ended = _through(hosted, network.address).run("run", repository)

    assert ended.code == 3
    assert ended.errors.startswith("error: Temporal does not answer at")
