"""The coverage gate over what real test runs measured."""

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from activities.artifact_store import get_bytes, put_bytes
from activities.coverage_gate import CoverageRequest, measure_coverage
from activities.coverage_report import shown
from activities.pytest_run import COVERAGE_FILE
from activities.test_stage import run_tests
from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.run import StageRequest
from regreen.contracts.source import Workspace
from regreen.pipeline_file import Pipeline
from tests.e2e.plain_repository import git
from tests.integration.gate_repository import Files, Gate, stage_request, weighed

CODE = """\
def total(prices):
    if not prices:
        return 0
    return sum(prices)


def unused(prices):
    first = prices[0]
    second = prices[1]
    return first + second
"""
TESTS = "from shop import total\n\n\ndef test_it():\n    assert total([1]) == 1\n"
MORE = "from shop import total\n\n\ndef test_nothing():\n    assert total([]) == 0\n"
pytestmark = pytest.mark.usefixtures("shared_environments")


async def _request(folder: Path, *commits: Files, **coverage: Any) -> StageRequest:
    pipeline = Pipeline.model_validate(
        {
            "unit": {"paths": ["test_unit.py"]},
            "e2e": {"paths": ["test_e2e.py"]},
            "coverage": coverage,
        }
    )
    return await stage_request(folder / "repository", "coverage", pipeline, commits)


async def _measured(request: StageRequest, *stages: str) -> dict[str, ArtifactRef]:
    """What the stages' tests ran, by really running them."""
    found = {}
    for stage in stages:
        report = await run_tests(request.model_copy(update={"stage": stage}))
        assert report.coverage is not None
        assert report.coverage.name == COVERAGE_FILE
        found[stage] = report.coverage
    return found


async def _gate(
    request: StageRequest,
    reports: dict[str, ArtifactRef],
    unhealed: dict[str, ArtifactRef] | None = None,
) -> Gate:
    asked = CoverageRequest(**request.model_dump(), reports=reports, unhealed=unhealed or {})
    return await weighed(request, await measure_coverage(asked))


async def _written(lines: int, run: int, path: str = "shop.py") -> ArtifactRef:
    file = {
        "executed_lines": list(range(1, run + 1)),
        "missing_lines": list(range(run + 1, lines + 1)),
    }
    data = json.dumps({"meta": {"format": 3}, "files": {path: file}, "totals": {}})
    return await put_bytes(COVERAGE_FILE, data.encode(), "application/json")


async def test_too_little_coverage_fails_with_the_total_and_each_file(tmp_path: Path) -> None:
    request = await _request(tmp_path, {"shop.py": CODE, "test_unit.py": TESTS})

    gate = await _gate(request, await _measured(request, "unit"))

    assert gate.state == "failed"
    assert gate.summary == (
        "coverage: 1 finding of high or above, first total-coverage at total: "
        "50.0 % is below 80 %; examined 1 file, 50.0 % of lines and branches "
        "(lines 50.0 %, branches 50.0 %)"
    )
    assert gate.verdict.remarks == ("shop.py: 50.0 % of lines and branches, 4 lines never run",)
    total, file = gate.scan.findings
    assert (total.rule, total.severity, total.message) == (
        "total-coverage",
        "high",
        "50.0 % is below 80 %",
    )
    assert (file.rule, file.severity, file.path) == ("file-coverage", "low", "shop.py")
    assert file.message == "50.0 %, 4 lines never run, first line 3"
    (artifact,) = gate.artifacts
    assert json.loads(await get_bytes(artifact))["files"]["shop.py"]["missing_lines"] == [
        3,
        8,
        9,
        10,
    ]


async def test_stages_count_together(tmp_path: Path) -> None:
    code = CODE.partition("\n\n\ndef unused")[0] + "\n"
    files: Files = {"shop.py": code, "test_unit.py": TESTS, "test_e2e.py": MORE}
    request = await _request(tmp_path, files)
    reports = await _measured(request, "unit", "e2e")

    alone = await _gate(request, {"unit": reports["unit"]})
    together = await _gate(request, reports)

    assert (alone.state, together.state) == ("failed", "passed")
    assert together.summary == (
        "coverage: nothing found; examined 1 file, 100.0 % of lines and branches "
        "(lines 100.0 %, branches 100.0 %)"
    )
    assert together.verdict.remarks == ()


@pytest.mark.parametrize(
    ("run", "state", "said"),
    [(799, "failed", "79.9 % is below 80 %"), (800, "passed", "80.0 % of lines and branches")],
)
async def test_a_percentage_is_never_rounded_up_to_its_threshold(
    tmp_path: Path, run: int, state: str, said: str
) -> None:
    request = await _request(tmp_path, {"shop.py": CODE})

    gate = await _gate(request, {"unit": await _written(1000, run)})

    assert gate.state == state
    assert said in gate.summary


async def test_just_below_is_shown_as_below(tmp_path: Path) -> None:
    request = await _request(tmp_path, {"shop.py": CODE})

    gate = await _gate(request, {"unit": await _written(10_000, 7_999)})

    assert "79.9 % is below 80 %" in gate.summary


async def test_a_stage_of_its_own_threshold_is_named(tmp_path: Path) -> None:
    request = await _request(tmp_path, {"shop.py": CODE}, stages={"unit": 95, "e2e": 50})

    gate = await _gate(request, {"unit": await _written(100, 90)})

    assert [finding.message for finding in gate.verdict.blocking] == [
        "unit: 90.0 % is below 95 %",
        "e2e measured none",
    ]


async def test_changed_lines_are_reported_and_block_where_asked_for(tmp_path: Path) -> None:
    old = CODE.partition("\n\n\ndef unused")[0] + "\n"
    commits: tuple[Files, ...] = (
        {"shop.py": old, "test_unit.py": TESTS},
        {"shop.py": CODE},
    )
    request = await _request(tmp_path, *commits, threshold=10)
    reports = await _measured(request, "unit")

    reported = await _gate(request, reports)
    assert reported.state == "passed"
    assert reported.summary.endswith("25.0 % of 4 changed lines since the parent commit")

    section = request.pipeline.coverage
    assert section is not None
    strict = request.pipeline.model_copy(
        update={"coverage": section.model_copy(update={"changed": 80.0})}
    )
    gate = await _gate(request.model_copy(update={"pipeline": strict}), reports)
    assert [finding.message for finding in gate.verdict.blocking] == [
        "25.0 % of 4 changed lines is below 80 %"
    ]


async def test_a_heal_may_not_bring_lines_that_no_test_runs(tmp_path: Path) -> None:
    request = await _request(tmp_path, {"shop.py": CODE, "test_unit.py": TESTS}, threshold=0)
    patch = (
        b"diff --git a/shop.py b/shop.py\n--- a/shop.py\n+++ b/shop.py\n@@ -2,3 +2,3 @@\n"
        b"     if not prices:\n-        return 0\n+        return 1\n     return sum(prices)\n"
    )
    healed = request.workspace.with_patch(await put_bytes("a.patch", patch, "text/x-diff"))
    request = request.model_copy(update={"workspace": healed})

    gate = await _gate(request, await _measured(request, "unit"))

    (finding,) = gate.verdict.blocking
    assert (finding.rule, finding.place) == ("healed-coverage", "shop.py:3")


async def test_lines_and_branches_have_thresholds_of_their_own(tmp_path: Path) -> None:
    code = CODE.partition("\n\n\ndef unused")[0] + "\n"
    files: Files = {"shop.py": code, "test_unit.py": TESTS}
    request = await _request(tmp_path, files, threshold=60, lines=75, branches=50.5)

    gate = await _gate(request, await _measured(request, "unit"))

    assert [(f.rule, f.place, f.message) for f in gate.verdict.blocking] == [
        ("branch-coverage", "branches", "50.0 % of 2 branches is below 50.5 %"),
    ]
    assert gate.summary.endswith("66.6 % of lines and branches (lines 75.0 %, branches 50.0 %)")


async def test_changed_lines_are_those_since_the_base(tmp_path: Path) -> None:
    old = CODE.partition("\n\n\ndef unused")[0] + "\n"
    commits: tuple[Files, ...] = ({"a.md": ""}, {"shop.py": old}, {"shop.py": CODE})
    request = await _request(tmp_path, *commits, threshold=0)
    base = git(tmp_path / "repository", "rev-parse", "HEAD~2")
    source = request.workspace.source.model_copy(update={"base": base, "base_ref": "main"})
    branched = request.model_copy(update={"workspace": Workspace(source=source)})
    report = await _written(10, 4)

    gate = await _gate(branched, {"unit": report})

    assert gate.summary.endswith(f"40.0 % of 10 changed lines since main ({base[:12]})")
    assert "of 6 changed lines" in (await _gate(request, {"unit": report})).summary


@pytest.mark.parametrize(
    ("before", "after", "state"),
    [
        ((100, 90), (100, 89), "failed"),
        ((100, 90), (110, 98), "failed"),
        ((100, 90), (100, 90), "passed"),
        ((100, 90), (98, 88), "passed"),
        ((100, 89), (100, 90), "passed"),
    ],
    ids=["less run", "new lines untested", "as before", "run code removed", "more run"],
)
async def test_a_heal_may_not_lower_the_coverage(
    tmp_path: Path, before: tuple[int, int], after: tuple[int, int], state: str
) -> None:
    request = await _request(tmp_path, {"shop.py": CODE}, threshold=50)

    gate = await _gate(
        request,
        {"unit": await _written(*after), "e2e": await _written(5, 5, "other.py")},
        unhealed={"unit": await _written(*before), "integration": await _written(9, 9)},
    )

    assert gate.state == state, gate.summary
    for finding in gate.verdict.blocking:
        lines, run = after
        assert (finding.rule, finding.place) == ("lowered-coverage", "lines")
        assert finding.message == (
            f"a heal lowers it from 90.0 % of lines to {shown(Fraction(100 * run, lines))}, "
            f"{lines - run} never run instead of 10"
        )
    assert len(gate.verdict.blocking) == (state == "failed")


async def test_the_files_that_are_tested_least_are_named(tmp_path: Path) -> None:
    request = await _request(tmp_path, {"shop.py": CODE}, threshold=70)
    files = {
        f"m{number}.py": {
            "executed_lines": list(range(number)),
            "missing_lines": list(range(number, 10)),
        }
        for number in range(11)
    }
    data = json.dumps({"files": files}).encode()

    gate = await _gate(request, {"unit": await put_bytes(COVERAGE_FILE, data, "application/json")})

    assert gate.verdict.remarks == (
        *(
            f"m{number}.py: {number * 10}.0 % of lines and branches, {10 - number} lines never run"
            for number in range(5)
        ),
        "2 more files are below 70 %",
    )
    (artifact,) = gate.artifacts
    document = json.loads(await get_bytes(artifact))
    assert document["lines_percent"] == "50.0 %"
    assert len(document["files"]) == 11


async def test_low_coverage_can_be_waived(tmp_path: Path) -> None:
    document = {
        "@context": "https://openvex.dev/ns/v0.2.0",
        "author": "shop team",
        "statements": [
            {
                "vulnerability": {"name": "total-coverage"},
                "status": "affected",
                "action_statement": "tests of the old module come with its removal",
                "status_notes": "expires: 2027-01-01",
            }
        ],
    }
    files: Files = {"shop.py": CODE, ".vex/coverage.json": json.dumps(document)}
    request = await _request(tmp_path, files)

    gate = await _gate(request, {"unit": await _written(10, 5)})

    assert gate.state == "waived"
    assert "1 finding waived, first total-coverage by shop team until 2027-01-01" in gate.summary


async def test_omitted_files_do_not_count(tmp_path: Path) -> None:
    request = await _request(tmp_path, {"shop.py": CODE}, omit=["shop*"])

    gate = await _gate(request, {"unit": await _written(10, 5)})

    assert (gate.state, gate.summary) == ("failed", "coverage: 0 files examined; examined 0 files, "
        "100.0 % of lines and branches")  # fmt: skip


async def test_without_a_measurement_the_gate_is_skipped(tmp_path: Path) -> None:
    request = await _request(tmp_path, {"shop.py": CODE})

    gate = await _gate(request, {})

    assert (gate.state, gate.summary) == ("skipped", "no test stage measured coverage")


async def test_garbage_is_a_problem(tmp_path: Path) -> None:
    request = await _request(tmp_path, {"shop.py": CODE})
    garbage = await put_bytes(COVERAGE_FILE, b'{"files": 3}', "application/json")

    gate = await _gate(request, {"unit": garbage})

    assert gate.state == "failed"
    assert gate.summary.startswith('coverage: the coverage of unit cannot be read: {"files": 3}')


async def test_the_stage_says_no_more_than_the_gate(tmp_path: Path) -> None:
    lines = [f"    x{number} = {number}" for number in range(402)]
    code = "\n".join(["def run():", *lines[:321], "\n\ndef never():", *lines[:81]])
    tests = "from shop import run\n\n\ndef test_it():\n    run()\n"
    request = await _request(tmp_path, {"shop.py": code, "test_unit.py": tests})

    report = await run_tests(request.model_copy(update={"stage": "unit"}))

    assert report.coverage_percent == 79.9


async def test_code_that_no_test_imports_counts(tmp_path: Path) -> None:
    files: Files = {
        "src/shop/__init__.py": "OPEN = True\n",
        "src/shop/storage/shelf.py": "OPEN = True\n",
        "bin/serve.py": "OPEN = True\n",
        "bin/old.py": "print 'Python 2'\n",
        "test_unit.py": "import shop\n\n\ndef test_it():\n    assert shop.OPEN\n",
    }
    request = await _request(tmp_path, files)

    gate = await _gate(request, await _measured(request, "unit"))

    assert gate.state == "failed"
    assert "33.3 % is below 80 %; examined 3 files" in gate.summary


async def test_code_in_a_process_that_a_test_starts_and_ends_counts(tmp_path: Path) -> None:
    serve = "import signal\n\nprint('ready', flush=True)\nsignal.pause()\n"
    tests = (
        "import subprocess, sys\n\n\ndef test_it(tmp_path):\n"
        "    words = [sys.executable, '-m', 'serve']\n"
        "    served = subprocess.Popen(words, stdout=subprocess.PIPE, cwd=tmp_path)\n"
        "    assert served.stdout.readline() == b'ready\\n'\n"
        "    served.terminate()\n    served.wait()\n"
    )
    request = await _request(tmp_path, {"serve.py": serve, "test_unit.py": tests})

    gate = await _gate(request, await _measured(request, "unit"))

    assert gate.state == "passed"
    assert "examined 1 file, 100.0 % of lines" in gate.summary


async def test_the_repositorys_own_plugins_do_not_hide_what_was_run(tmp_path: Path) -> None:
    options = "addopts = -n2 --cov=shop --cov-fail-under=90"
    files: Files = {
        "shop.py": CODE,
        "test_unit.py": TESTS,
        "pytest.ini": f"[pytest]\n{options}\n",
        "requirements.txt": "pytest-cov\npytest-xdist\n",
    }
    request = await _request(tmp_path, files)

    gate = await _gate(request, await _measured(request, "unit"))

    assert gate.state == "failed"
    assert "50.0 % is below 80 %; examined 1 file" in gate.summary


async def test_a_report_that_could_not_be_made_is_a_problem(tmp_path: Path) -> None:
    # The test writes over what coverage.py has measured; its own file is written at the end.
    spoil = "\n".join(
        (
            "import atexit, glob, shop",
            "def test_it():",
            "    def spoil():",
            "        open(glob.glob('/results/coverage.data*')[0], 'w').write('garbage')",
            "    atexit.register(spoil)",
            "",
        )
    )
    request = await _request(tmp_path, {"shop.py": CODE, "test_unit.py": spoil})

    gate = await _gate(request, await _measured(request, "unit"))

    assert gate.state == "failed"
    assert "the coverage of unit cannot be read: " in gate.summary


async def test_code_without_a_statement_has_nothing_to_run(tmp_path: Path) -> None:
    request = await _request(tmp_path, {"shop.py": "", "test_unit.py": "def test_it(): pass\n"})

    gate = await _gate(request, await _measured(request, "unit"))

    assert gate.state == "skipped"
    assert gate.summary == "the code has no statements that a test could run"
