"""Triage on real repositories: flaky, infrastructure, upstream and reproducible, with evidence."""

from pathlib import Path

import pytest
from temporalio.testing import ActivityEnvironment

from activities.artifact_store import put_bytes
from activities.failure_triage import TriageRequest, triage_failures
from activities.test_stage import run_tests
from regreen.contracts.testing import TestReport, Triage
from regreen.pipeline_file import Pipeline, TestSection
from tests.integration.gate_repository import Files, stage_request

pytestmark = [pytest.mark.usefixtures("shared_environments"), pytest.mark.timeout(120)]

UNIT = Pipeline()
RED = "from shop import PRICE\n\ndef test_price():\n    assert PRICE == 2\n"
# Red in the first run, green in the next two, red in the third after that.
EVERY_THIRD = """import pathlib

COUNTER = {counter}

def test_price():
    runs = int(COUNTER.read_text()) if COUNTER.exists() else 0
    COUNTER.write_text(str(runs + 1))
    assert runs % 3
"""


async def _triaged(
    folder: Path, *commits: Files, pipeline: Pipeline = UNIT, patches: tuple[str, ...] = ()
) -> tuple[Triage, TestReport]:
    """What triage says of the unit stage of the last commit."""
    request = await stage_request(folder / "repository", "unit", pipeline, commits)
    for number, text in enumerate(patches):
        patch = await put_bytes(f"{number}.patch", text.encode(), "text/x-diff")
        request = request.model_copy(update={"workspace": request.workspace.with_patch(patch)})
    report = await ActivityEnvironment().run(run_tests, request)
    assert report.outcome in ("failed", "broken"), report
    triage = TriageRequest(**dict(request), report=report)
    return await ActivityEnvironment().run(triage_failures, triage), report


@pytest.mark.parametrize(
    "counter",
    [
        "pathlib.Path('/tmp/counter')",
        "pathlib.Path.home() / '.counter'",
        "pathlib.Path(__file__).with_suffix('.counter')",
    ],
)
async def test_a_test_that_fails_every_third_run_is_flaky(counter: str, tmp_path: Path) -> None:
    triage, _ = await _triaged(tmp_path, {"test_shop.py": EVERY_THIRD.format(counter=counter)})

    assert (triage.kind, triage.failing) == ("flaky", ())
    assert triage.flaky == ("test_shop.py::test_price",)
    assert triage.order_dependent == ()
    assert triage.reason == "passed alone in run 2 of at most 5"
    [alone] = triage.evidence
    assert (alone.check, alone.runs) == ("the failing tests alone", 2)
    assert alone.result == "1 of 1 passed, the last of them in run 2"


IN_ORDER = """from shop import remember


def test_first():
    assert remember(1) == [1]


def test_second():
    assert remember(2) == [2]
"""
FORGETS = "def remember(item, known=()):\n    return [*known, item]\n"
REMEMBERS = "def remember(item, known=[]):\n    known.append(item)\n    return known\n"


async def test_a_test_that_depends_on_the_order_is_called_so(tmp_path: Path) -> None:
    files = {"shop.py": REMEMBERS, "test_shop.py": IN_ORDER}

    triage, _ = await _triaged(tmp_path, files, {"other.py": ""})

    assert (triage.kind, triage.failing, triage.regressed) == ("flaky", (), ())
    assert triage.flaky == triage.order_dependent == ("test_shop.py::test_second",)
    assert triage.reason.startswith("order-dependent: failed in 2 of 2 runs of the whole stage")
    assert [each.check for each in triage.evidence] == [
        "the failing tests alone",
        "the whole stage again",
        "these tests alone",
        "the whole stage on the parent commit",
    ]


async def test_what_a_commit_has_made_order_dependent_is_its_regression(tmp_path: Path) -> None:
    files = {"shop.py": FORGETS, "test_shop.py": IN_ORDER}

    triage, _ = await _triaged(tmp_path, files, {"shop.py": REMEMBERS})

    assert triage.regressed == triage.flaky == ("test_shop.py::test_second",)
    assert triage.reason == (
        "order-dependent since this commit, though green alone: test_shop.py::test_second"
    )


async def test_what_a_commit_broke_is_reproducible(tmp_path: Path) -> None:
    triage, _ = await _triaged(
        tmp_path, {"shop.py": "PRICE = 2\n", "test_shop.py": RED}, {"shop.py": "PRICE = 3\n"}
    )

    assert (triage.kind, triage.failing) == ("reproducible", ("test_shop.py::test_price",))
    assert (triage.upstream, triage.flaky) == ((), ())
    assert triage.reason.startswith("failed in 5 of 5 runs alone, not on the parent commit")
    alone, parent = triage.evidence
    assert (alone.runs, alone.result) == (5, "1 of 1 failed each time")
    assert (parent.runs, parent.result) == (1, "0 of 1 fail there in the same way")
    assert triage.signature


async def test_what_was_red_before_is_upstream(tmp_path: Path) -> None:
    triage, _ = await _triaged(
        tmp_path, {"shop.py": "PRICE = 3\n", "test_shop.py": RED}, {"other.py": "A = 1\n"}
    )

    assert (triage.kind, triage.upstream) == ("upstream", ("test_shop.py::test_price",))
    assert len(triage.parent) == 40
    assert triage.evidence[-1].check.endswith(f"parent commit {triage.parent[:12]}")
    assert triage.evidence[-1].result == "1 of 1 fail there in the same way"
    assert triage.signature


async def test_one_of_two_was_red_before(tmp_path: Path) -> None:
    other = "import shop\n\ndef test_stock():\n    assert shop.STOCK == 1\n"
    files = {"shop.py": "PRICE = 3\nSTOCK = 1\n", "test_shop.py": RED, "test_stock.py": other}

    triage, _ = await _triaged(tmp_path, files, {"shop.py": "PRICE = 3\nSTOCK = 2\n"})

    assert triage.kind == "reproducible"
    assert triage.failing == ("test_shop.py::test_price", "test_stock.py::test_stock")
    assert triage.upstream == ("test_shop.py::test_price",)


async def test_a_test_that_is_new_was_not_red_before(tmp_path: Path) -> None:
    both = f"{RED}\ndef test_new():\n    assert PRICE == 5\n"
    new_file = "import shop\n\ndef test_newer():\n    assert shop.PRICE == 5\n"

    triage, _ = await _triaged(
        tmp_path,
        {"shop.py": "PRICE = 3\n", "test_shop.py": RED},
        {"test_shop.py": both, "test_new.py": new_file},
    )

    assert len(triage.failing) == 3
    assert triage.upstream == ("test_shop.py::test_price",)


async def test_another_exception_is_another_failure(tmp_path: Path) -> None:
    triage, _ = await _triaged(
        tmp_path,
        {
            "shop.py": "PRICE = 1 / 0\n",
            "test_shop.py": RED.replace("from shop import PRICE\n", "").replace(
                "    assert", "    from shop import PRICE\n    assert"
            ),
        },
        {"shop.py": "PRICE = 3\n"},
    )

    assert (triage.kind, triage.upstream) == ("reproducible", ())


async def test_a_file_that_could_not_be_collected_before_is_upstream(tmp_path: Path) -> None:
    triage, _ = await _triaged(
        tmp_path, {"shop.py": "COST = 3\n", "test_shop.py": RED}, {"other.py": "A = 1\n"}
    )

    assert (triage.kind, triage.upstream) == ("upstream", ("test_shop.py",))


async def test_a_parent_that_cannot_be_collected_gives_no_verdict(tmp_path: Path) -> None:
    triage, _ = await _triaged(
        tmp_path,
        {"shop.py": "PRICE = 3\n", "test_shop.py": RED, "conftest.py": "raise RuntimeError\n"},
        {"conftest.py": ""},
    )

    assert (triage.kind, triage.upstream) == ("reproducible", ())
    assert triage.evidence[-1].runs == 0
    assert triage.evidence[-1].result.startswith("no verdict: its tests cannot be run: ")
    assert "no verdict on the parent commit" in triage.reason


async def test_a_parent_that_needs_another_environment_gives_no_verdict(tmp_path: Path) -> None:
    triage, _ = await _triaged(
        tmp_path,
        {"shop.py": "import not_on_any_index_at_all\nPRICE = 3\n", "test_shop.py": RED},
        {"shop.py": "PRICE = 3\n"},
    )

    assert (triage.kind, triage.upstream) == ("reproducible", ())
    assert triage.evidence[-1].result.startswith("no verdict: its tests cannot be run: third-party")


async def test_a_first_commit_has_no_parent(tmp_path: Path) -> None:
    triage, _ = await _triaged(tmp_path, {"shop.py": "PRICE = 3\n", "test_shop.py": RED})

    assert (triage.kind, triage.parent) == ("reproducible", "")
    assert triage.reason == "failed in 5 of 5 runs alone, no parent commit to compare with"
    assert triage.evidence[-1].result == "no verdict: there is no parent commit"


HEAL = """--- a/stock.py
+++ b/stock.py
@@ -1 +1 @@
-STOCK = 2
+STOCK = 1
"""


@pytest.mark.parametrize("stock", ["STOCK = 2\n", "STOCK = 7\n"])
async def test_earlier_heals_are_on_the_parent_where_they_apply(stock: str, tmp_path: Path) -> None:
    # With the heal the parent is green; where it does not apply, the parent is red by itself.
    tests = "from stock import STOCK\n\ndef test_price():\n    import shop\n    assert STOCK == 1\n"
    tests += "    assert shop.PRICE == 2\n"
    triage, _ = await _triaged(
        tmp_path,
        {"stock.py": stock, "shop.py": "PRICE = 2\n", "test_shop.py": tests},
        {"stock.py": "STOCK = 2\n", "shop.py": "PRICE = 3\n"},
        patches=(HEAL,),
    )

    assert triage.kind == ("reproducible" if stock == "STOCK = 2\n" else "upstream")


async def test_a_missing_package_is_infrastructure_inside_a_test_too(tmp_path: Path) -> None:
    tests = "def test_price():\n    import yaml_of_nobody\n"

    triage, _ = await _triaged(tmp_path, {"test_shop.py": tests, "requirements.txt": ""})

    assert (triage.kind, triage.lasting, triage.failing) == ("infrastructure", True, ())
    assert triage.reason == (
        "third-party package `yaml_of_nobody` is not installed: add `yaml-of-nobody` to "
        "`requirements.txt` (test_shop.py::test_price)"
    )
    assert triage.evidence[0].result == triage.reason


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        (
            {"test_shop.py": "import nobodys\n\ndef test_a():\n    pass\n"},
            "third-party package `nobodys` is not installed",
        ),
        (
            {"conftest.py": "import nobodys\n", "test_shop.py": "def test_a(): pass\n"},
            "third-party package `nobodys` is not installed",
        ),
        (
            {
                "pytest.ini": "[pytest]\naddopts = --cov=shop\n",
                "test_shop.py": "def test_a():\n    pass\n",
            },
            "pytest does not know `--cov`, a plugin is missing: add `pytest-cov`",
        ),
        (
            {
                "pytest.ini": "[pytest]\naddopts = -p nobodys_plugin\n",
                "test_shop.py": "def test_a():\n    pass\n",
            },
            "third-party package `nobodys_plugin` is not installed",
        ),
        (
            {"test_shop.py": "def test_a(mocker):\n    pass\n"},
            "no fixture `mocker`, a pytest plugin is missing: add `pytest-mock`",
        ),
        (
            {"test_shop.py": "async def test_a():\n    pass\n"},
            "no pytest plugin runs `async def` tests: add `pytest-asyncio`",
        ),
        (
            {"test_shop.py": "import os\n\ndef test_a():\n    os.kill(os.getpid(), 9)\n"},
            "the test process was killed from outside",
        ),
        (
            {"conftest.py": "import os\nos.kill(os.getpid(), 9)\n", "test_shop.py": ""},
            "pytest was killed from outside",
        ),
        (
            {
                "test_shop.py": "import socket\n\ndef test_a():\n"
                "    socket.create_connection(('name.invalid', 80))\n"
            },
            "name resolution failed",
        ),
        (
            {"test_shop.py": "def test_a():\n    bytearray(1 << 46)\n"},
            "out of memory",
        ),
    ],
)
async def test_infrastructure_is_named_with_the_way_out(
    files: dict[str, str], reason: str, tmp_path: Path
) -> None:
    triage, _ = await _triaged(tmp_path, files)

    assert triage.kind == "infrastructure"
    assert triage.reason.startswith(reason), triage.reason


async def test_a_stage_that_takes_too_long_is_no_quarantine(tmp_path: Path) -> None:
    # The last test passes alone; those after it have never run.
    tests = (
        "import time\nbefore = []\n\ndef test_a():\n    before.append('a')\n\n"
        "def test_b():\n    time.sleep(600 * len(before))\n\ndef test_c():\n    assert 0\n"
    )
    pipeline = Pipeline(unit=TestSection(timeout=6))

    triage, report = await _triaged(tmp_path, {"test_shop.py": tests}, pipeline=pipeline)

    assert not report.finished
    assert triage.kind == "infrastructure"
    assert "raise `unit.timeout`" in triage.reason


async def test_a_runner_that_the_repository_breaks_is_not_the_machines(tmp_path: Path) -> None:
    files = {"conftest.py": "raise RuntimeError('no')\n", "test_shop.py": "def test_a(): pass\n"}

    triage, report = await _triaged(tmp_path, files)

    assert report.outcome == "broken"
    assert (triage.kind, triage.failing) == ("reproducible", ())


async def test_a_test_after_a_crash_is_not_taken_for_flaky(tmp_path: Path) -> None:
    files = {
        "test_a.py": "import os\n\ndef test_crash():\n    os._exit(3)\n",
        "test_b.py": "import nothing_of_ours_at_all_but_shop\n",
        "nothing_of_ours_at_all_but_shop.py": "raise ValueError\n",
    }

    triage, _ = await _triaged(tmp_path, files)

    assert triage.kind == "reproducible"
    assert set(triage.failing) == {"test_a.py::test_crash", "test_b.py"}
