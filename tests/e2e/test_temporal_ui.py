"""Runs watched and steered in Temporal's web UI, in a real browser."""

import json
from pathlib import Path

import pytest

from tests.e2e.browser import browser, page
from tests.e2e.plain_repository import plain_repository
from tests.e2e.regreen_program import Program, wait_until
from tests.e2e.temporal_pages import (
    choose_columns,
    open_details,
    open_relationships,
    open_runs,
    open_timeline,
    see_result,
    send_signal,
)

pytestmark = pytest.mark.timeout(240)

_NO_GATES = "coverage: null\nsecurity: null\npackage: null\n"
_WAITS = {
    "regreen.yaml": _NO_GATES + "approval: {required: always}\n",
    "test_price.py": "def test_price():\n    assert 1 + 1 == 2\n",
}
_FAILS = {
    "regreen.yaml": _NO_GATES + "healers: []\n",
    "test_price.py": "def test_price():\n    assert 1 + 1 == 3\n",
}


def _run(program: Program, folder: Path, files: dict[str, str]) -> dict[str, str]:
    repository = plain_repository(folder, files)
    ended = program.run("run", str(repository), "--json")
    document: dict[str, str] = ended.document
    return document


async def test_a_run_is_approved_in_the_browser(hosted: Program, tmp_path: Path) -> None:
    run = _run(hosted, tmp_path / "shop", _WAITS)
    assert run["state"] == "waiting"
    pages = run["ui"].partition("/workflows/")[0]
    async with browser() as chromium, page(chromium) as tab:
        await choose_columns(tab)
        row = (run["workflow_id"], "RegreenStage", "approval")
        await open_runs(tab, pages, "RegreenState%3D%22waiting%22", *row)
        await open_timeline(tab, run["ui"], "git fetch main", "waiting for approval")
        await open_relationships(tab, run["ui"], f"{run['workflow_id']}/unit")
        waiting = ("waiting for approval", f"regreen approve {run['workflow_id']}", "1 of 1 green")
        await open_details(tab, run["ui"], *waiting)

        too_old = {"reviewer": "Ada", "decision": "approve", "tree": "0" * 40}
        await send_signal(tab, run["ui"], "review", json.dumps(too_old))
        await open_details(tab, run["ui"], "Refused: approve by Ada", "it is of tree 000000000000")
        approval = {"reviewer": "Ada", "decision": "approve", "comment": "read it"}
        await send_signal(tab, run["ui"], "review", json.dumps(approval))
        wait_until(lambda: _state(hosted, run) == "passed", "the end of the run")

        await open_details(tab, run["ui"], "approved by Ada (temporal-ui): read it")


async def test_a_failed_run_shows_its_real_cause(hosted: Program, tmp_path: Path) -> None:
    run = _run(hosted, tmp_path / "shop", _FAILS)
    assert run["state"] == "failed"
    async with browser() as chromium, page(chromium) as tab:
        await see_result(tab, run["ui"], "unit: 1 of 1 failing, first test_price.py::test_price")
        assert "Activity task failed" not in await tab.locator("main").inner_text()


def _state(program: Program, run: dict[str, str]) -> str:
    return str(program.run("status", run["run_id"], "--json").document["state"])
