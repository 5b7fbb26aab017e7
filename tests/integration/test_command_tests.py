"""Stages with a command: Node's own test runner and shell scripts, in the sandbox."""

from pathlib import Path

import pytest
from temporalio.testing import ActivityEnvironment

from activities.artifact_store import get_bytes, put_bytes
from activities.build import build_environment
from activities.failure_triage import TriageRequest, triage_failures
from activities.healing.verification import VerificationRequest, verify_patch
from activities.test_stage import run_tests
from regreen.contracts.run import StageRequest
from regreen.contracts.testing import TestReport, Verification
from regreen.pipeline_file import Pipeline, TestSection
from tests.integration.gate_repository import Files, stage_request

pytestmark = pytest.mark.usefixtures("own_state")

NODE = TestSection(
    command=(
        *("node", "--test", "--test-reporter=spec", "--test-reporter-destination=stdout"),
        *("--test-reporter=junit", "--test-reporter-destination=reports/unit.xml"),
    ),
    report="reports/unit.xml",
    timeout=60,
)
PACKAGE = '{"name": "shop", "type": "module"}\n'
PRICES = """export function total(prices) {
  let sum = 0;
  for (const price of prices) {
    sum += price;
  }
  return sum;
}
"""
BROKEN = PRICES.replace("sum += price", "sum -= price")
PRICE_TESTS = """import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { total } from "../src/prices.js";

describe("total", () => {
  it("adds up", () => {
    assert.equal(total([1, 2]), 3);
  });
  it("is nothing for nothing", () => {
    assert.equal(total([]), 0);
  });
});
"""
LIBRARY: Files = {
    "package.json": PACKAGE,
    "src/prices.js": BROKEN,
    "test/prices.test.js": PRICE_TESTS,
}
GREEN = "<testsuite name='s'><testcase classname='a' name='b'/></testsuite>"
RED = (
    "<testsuite name='s'><testcase classname='a' name='b'><failure message='no'/></testcase>"
    "<testcase classname='a' name='c'/></testsuite>"
)


def _shell(script: str, report: str = "report.xml", timeout: float = 60) -> TestSection:
    return TestSection(command=("sh", "-c", script), report=report, timeout=timeout)


async def _request(folder: Path, section: TestSection, files: Files) -> StageRequest:
    return await stage_request(folder / "repository", "unit", Pipeline(unit=section), [files])


async def _run(folder: Path, section: TestSection, files: Files) -> TestReport:
    request = await _request(folder, section, files)
    return await ActivityEnvironment().run(run_tests, request)


async def test_node_tells_which_test_failed_and_where(tmp_path: Path) -> None:
    report = await _run(tmp_path, NODE, LIBRARY)

    assert (report.outcome, report.total, report.passed, report.failed) == ("failed", 2, 1, 1)
    (failure,) = report.failures
    assert failure.node_id == "total::adds up"
    assert failure.phase == "call"
    assert failure.exception == "AssertionError"
    assert failure.message.startswith("Expected values to be strictly equal: -3 !== 3")
    assert [(frame.path, frame.line) for frame in failure.frames] == [("test/prices.test.js", 7)]
    assert report.log is not None
    assert report.output is not None
    assert b"<testcase" in await get_bytes(report.log)
    assert b"adds up" in await get_bytes(report.output)


async def test_node_green(tmp_path: Path) -> None:
    report = await _run(tmp_path, NODE, {**LIBRARY, "src/prices.js": PRICES})

    assert (report.outcome, report.total, report.passed) == ("passed", 2, 2)
    assert report.detail == ""


async def test_two_runs_of_a_tree_collect_the_same(tmp_path: Path) -> None:
    first = await _run(tmp_path / "a", NODE, LIBRARY)
    second = await _run(tmp_path / "b", NODE, {**LIBRARY, "src/prices.js": PRICES})

    assert first.collected_digest == second.collected_digest


async def test_a_repository_without_python_needs_no_environment(tmp_path: Path) -> None:
    request = await _request(tmp_path, NODE, {**LIBRARY, "scripts/release.py": "print('x'\n"})

    verdict = await ActivityEnvironment().run(build_environment, request)
    report = await ActivityEnvironment().run(run_tests, request)

    assert (verdict.state, verdict.summary) == ("passed", "no Python package: nothing to build")
    assert report.outcome == "failed"
    assert not (tmp_path / "state" / "cache" / "environments").exists()


async def test_a_command_of_a_python_repository_finds_its_environment(tmp_path: Path) -> None:
    section = TestSection(
        command=("python", "-m", "pytest", "-q", "--junitxml=out/junit.xml"),
        report="out/*.xml",
        timeout=60,
    )
    files: Files = {
        "requirements.txt": "",
        "shop.py": "PRICE = 3\n",
        "test_shop.py": "import shop\n\n\ndef test_price():\n    assert shop.PRICE == 2\n",
    }

    report = await _run(tmp_path, section, files)

    assert report.outcome == "failed", report.detail
    (failure,) = report.failures
    assert failure.node_id == "test_shop::test_price"
    assert [(frame.path, frame.line) for frame in failure.frames] == [("test_shop.py", 5)]


OUTCOMES: dict[str, tuple[TestSection, str, str]] = {
    "nothing written": (_shell("echo ready"), "broken", "sh ended with exit code 0 and wrote no"),
    "nothing written, and red": (
        _shell("echo 'Error: no browser'; exit 3"),
        "broken",
        "sh ended with exit code 3 and wrote no report at report.xml: Error: no browser",
    ),
    "no such program": (
        TestSection(command=("no-such-runner",), report="report.xml"),
        "broken",
        "No such file or directory",
    ),
    "green report and red command": (
        _shell(f'echo "{GREEN}" > report.xml; echo "coverage too low"; exit 2'),
        "broken",
        "sh ended with exit code 2, though no test in its report failed: coverage too low",
    ),
    "red report and green command": (_shell(f'echo "{RED}" > report.xml'), "failed", ""),
    "no test": (
        _shell('echo "<testsuites/>" > report.xml'),
        "no_tests",
        "sh ended with exit code 0 and its report names no tests",
    ),
    "only skipped": (
        _shell(
            "echo \"<testsuite><testcase name='a'><skipped/></testcase></testsuite>\" > report.xml"
        ),
        "no_tests",
        "all 1 tests were skipped",
    ),
    "cut short": (
        _shell("echo '<testsuite><testcase name=' > report.xml"),
        "broken",
        "report.xml: not well-formed XML",
    ),
    "a link out of the workspace": (
        _shell("ln -s /etc/passwd report.xml"),
        "broken",
        "wrote no report",
    ),
    "a folder that leads out of the workspace": (
        _shell("rm -rf out; ln -s /etc out", "out/passwd"),
        "broken",
        "wrote no report",
    ),
    "too large": (
        _shell("truncate -s 65M report.xml"),
        "broken",
        "report.xml is larger than 64 MiB",
    ),
    "endless": (
        _shell(f'echo "{GREEN}" > report.xml; sleep 60', timeout=1),
        "broken",
        "sh did not end within 1 s",
    ),
}


@pytest.mark.parametrize("case", OUTCOMES)
async def test_what_a_command_can_end_with(case: str, tmp_path: Path) -> None:
    section, outcome, detail = OUTCOMES[case]

    report = await _run(tmp_path, section, {"a.txt": "a"})

    assert report.outcome == outcome, report.detail
    assert detail in report.detail
    assert bool(report.failures) == (outcome == "failed")


async def test_a_report_in_the_repository_does_not_count(tmp_path: Path) -> None:
    files: Files = {"reports/unit.xml": GREEN, "reports/old.xml": GREEN}

    report = await _run(tmp_path, _shell("true", "reports/*.xml"), files)

    assert report.outcome == "broken"
    assert "wrote no report at reports/*.xml" in report.detail


async def test_a_link_in_place_of_the_report_is_removed_and_not_followed(tmp_path: Path) -> None:
    precious = tmp_path / "precious.xml"
    precious.write_text("mine")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "unit.xml").write_text("mine, too")
    files: Files = {"report.xml": precious, "linked": outside}

    written = await _run(tmp_path / "a", _shell(f'echo "{GREEN}" > report.xml'), files)
    behind = await _run(tmp_path / "b", _shell("true", "linked/*.xml"), files)

    assert written.outcome == "passed", written.detail
    assert behind.outcome == "broken"
    assert precious.read_text() == "mine"
    assert (outside / "unit.xml").read_text() == "mine, too"


async def test_several_reports_are_one_run(tmp_path: Path) -> None:
    script = (
        f'mkdir -p target/deep; echo "{RED}" > target/a.xml; echo "{GREEN}" > target/deep/b.xml'
    )

    report = await _run(tmp_path, _shell(script, "target/**/*.xml"), {"a.txt": "a"})

    assert (report.outcome, report.total, report.failed) == ("failed", 3, 1)
    assert [failure.node_id for failure in report.failures] == ["a::b"]
    assert report.log is not None
    assert report.log.name == "junit.zip"


async def test_a_reproducible_failure_is_told_from_a_flaky_one(tmp_path: Path) -> None:
    # The second test is red in the first run of each workspace only.
    flaky = 'if test -e seen; then echo \'<testcase classname="a" name="c"/>\''
    flaky += '; else echo \'<testcase classname="a" name="c"><failure/></testcase>\'; fi'
    script = (
        '{ echo \'<testsuite><testcase classname="a" name="b"><failure/></testcase>\'; '
        f"{flaky}; echo '</testsuite>'; }} > report.xml; touch seen"
    )
    request = await _request(tmp_path, _shell(script), {"a.txt": "a"})
    report = await ActivityEnvironment().run(run_tests, request)
    assert report.failed == 2

    triage = await ActivityEnvironment().run(
        triage_failures, TriageRequest(**dict(request), report=report)
    )

    assert triage.kind == "reproducible"
    assert triage.failing == ("a::b",)
    assert triage.flaky == ("a::c",)


async def test_a_test_whose_name_changes_from_run_to_run_is_not_flaky(tmp_path: Path) -> None:
    script = (
        "echo \"<testsuite><testcase classname='a' name='at $(date +%N)'><failure/></testcase>"
        '</testsuite>" > report.xml'
    )
    request = await _request(tmp_path, _shell(script), {"a.txt": "a"})
    report = await ActivityEnvironment().run(run_tests, request)

    triage = await ActivityEnvironment().run(
        triage_failures, TriageRequest(**dict(request), report=report)
    )

    assert triage.flaky == ()
    assert triage.kind == "reproducible"


async def test_a_missing_package_is_infrastructure(tmp_path: Path) -> None:
    files = {**LIBRARY, "src/prices.js": 'import "left-pad";\n' + PRICES}
    request = await _request(tmp_path, NODE, files)
    report = await ActivityEnvironment().run(run_tests, request)
    assert [failure.phase for failure in report.failures] == ["collect"]

    triage = await ActivityEnvironment().run(
        triage_failures, TriageRequest(**dict(request), report=report)
    )

    assert triage.kind == "infrastructure"
    assert "`left-pad` is not installed" in triage.reason


async def _verified(folder: Path, files: Files, changed: dict[str, str]) -> Verification:
    """What verification says when these files get these texts."""
    from difflib import unified_diff

    request = await _request(folder, NODE, files)
    original = await ActivityEnvironment().run(run_tests, request)
    assert original.outcome == "failed", original.detail
    patch = ""
    for name, after in changed.items():
        before = str(files[name])
        lines = before.splitlines(keepends=True), after.splitlines(keepends=True)
        patch += "".join(unified_diff(*lines, f"a/{name}", f"b/{name}"))
    verification = VerificationRequest(
        **dict(request),
        patch=await put_bytes("unit.patch", patch.encode(), "text/x-diff"),
        failing=tuple(failure.node_id for failure in original.failures),
        original=original,
    )
    return await ActivityEnvironment().run(verify_patch, verification)


async def test_a_patch_that_turns_the_stage_green(tmp_path: Path) -> None:
    found = await _verified(tmp_path, LIBRARY, {"src/prices.js": PRICES})

    assert found.verified, found.reason
    assert found.report is not None
    assert (found.report.passed, found.report.total) == (2, 2)


async def test_a_patch_that_does_not(tmp_path: Path) -> None:
    wrong = PRICES.replace("sum += price", "sum = price")

    found = await _verified(tmp_path, LIBRARY, {"src/prices.js": wrong})

    assert not found.verified
    assert found.reason.startswith("tests still red: 1 failing, first total::adds up: Expected")


async def test_a_patch_that_breaks_another_test(tmp_path: Path) -> None:
    wrong = PRICES.replace("sum = 0", "sum = prices.length ? 0 : 1")

    found = await _verified(tmp_path, LIBRARY, {"src/prices.js": wrong})

    assert not found.verified
    assert found.reason.startswith("the rest of the suite is red: 1 failing, first total::is noth")


async def test_a_patch_with_which_a_test_is_lost(tmp_path: Path) -> None:
    tests = PRICE_TESTS.replace('  it("is nothing', '  if (total([1]) < 0) it("is nothing')

    found = await _verified(
        tmp_path, {**LIBRARY, "test/prices.test.js": tests}, {"src/prices.js": PRICES}
    )

    assert not found.verified
    assert found.reason == "the set of collected tests is not the original's"


async def test_a_file_that_loads_again_lets_more_tests_be_seen(tmp_path: Path) -> None:
    other = 'import test from "node:test";\ntest("adds up", () => {});\n'
    files = {**LIBRARY, "src/prices.js": PRICES + "}\n", "test/other.test.js": other}

    found = await _verified(tmp_path, files, {"src/prices.js": PRICES})

    assert found.verified, found.reason
    assert found.report is not None
    assert found.report.total == 3
