"""Real pytest runs in the sandbox, and what is understood of them, crashes included."""

from pathlib import Path

import pytest

from activities.artifact_store import get_bytes
from activities.pytest_run import run_pytest
from regreen.contracts.testing import TestFailure, TestReport
from regreen.pipeline_file import TestSection

pytestmark = pytest.mark.usefixtures("own_state")


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """A workspace and a results folder."""
    copy, results = tmp_path / "copy", tmp_path / "results"
    copy.mkdir()
    results.mkdir()
    return copy, results


async def _report(
    folders: tuple[Path, Path],
    environment: Path,
    files: dict[str, str],
    section: TestSection = TestSection(),  # noqa: B008
    *,
    node_ids: tuple[str, ...] = (),
    coverage: bool = False,
    keep: bool = False,
) -> TestReport:
    copy, results = folders
    for name, text in files.items():
        path = copy / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return await run_pytest(
        copy,
        environment,
        results,
        section,
        subject="pytest",
        node_ids=node_ids,
        coverage=coverage,
        keep=keep,
    )


def _counts(report: TestReport) -> tuple[str, int, int, int, int]:
    return report.outcome, report.total, report.passed, report.failed, report.skipped


def _only(report: TestReport) -> TestFailure:
    (failure,) = report.failures
    return failure


async def test_green(folders: tuple[Path, Path], python_environment: Path) -> None:
    report = await _report(
        folders, python_environment, {"test_a.py": "def test_a():\n    assert 1\n"}
    )

    assert _counts(report) == ("passed", 1, 1, 0, 0)
    assert report.failures == ()


async def test_a_failure_tells_where_and_why(
    folders: tuple[Path, Path], python_environment: Path
) -> None:
    files = {
        "src/shop/__init__.py": "",
        "src/shop/prices.py": "def total(a):\n    print('summing')\n    return a['none']\n",
        "tests/test_prices.py": "from shop.prices import total\n\n\n"
        "def test_total():\n    assert total({}) == 1\n\n\ndef test_other():\n    assert 1 == 2\n",
    }

    report = await _report(folders, python_environment, files)

    assert _counts(report) == ("failed", 2, 0, 2, 0)
    first, second = report.failures
    assert first.node_id == "tests/test_prices.py::test_total"
    assert (first.phase, first.exception) == ("call", "KeyError")
    assert [(frame.path, frame.line) for frame in first.frames] == [
        ("tests/test_prices.py", 5),
        ("src/shop/prices.py", 3),
    ]
    assert "summing" in first.output
    assert second.exception == "AssertionError"
    assert "assert 1 == 2" in second.message


async def test_parameters_have_node_ids_of_their_own(
    folders: tuple[Path, Path], python_environment: Path
) -> None:
    files = {
        "test_a.py": "import pytest\n\n@pytest.mark.parametrize('word', ['a b', 'é::x', '[y]'])\n"
        "def test_word(word):\n    assert word == 'a b'\n"
    }

    report = await _report(folders, python_environment, files)
    assert _counts(report) == ("failed", 3, 1, 2, 0)
    red = tuple(failure.node_id for failure in report.failures)
    (folders[1] / "report.jsonl").unlink()

    alone = await _report(folders, python_environment, {}, node_ids=red)

    assert _counts(alone) == ("failed", 2, 0, 2, 0)
    assert tuple(failure.node_id for failure in alone.failures) == red


async def test_a_report_fits_into_a_payload_however_long_names_and_traces_are(
    folders: tuple[Path, Path], python_environment: Path
) -> None:
    deep = "".join(f"def f{n}():\n    f{n + 1}()\n" for n in range(300))
    files = {
        "deep.py": f"{deep}def f300():\n    raise ValueError('far down')\n",
        "test_a.py": "import pytest\nfrom deep import f0\n\n"
        "@pytest.mark.parametrize('text', 'xyz', ids=['x' * 100_000, 'y' * 100_000, 'z'])\n"
        "def test_text(text):\n    f0()\n",
    }

    report = await _report(folders, python_environment, files)

    assert _counts(report) == ("failed", 3, 0, 3, 0)
    [told] = report.failures
    assert told.node_id == "test_a.py::test_text[z]"
    assert len(told.frames) == 50
    assert told.frames[-1].line == 602


async def test_failures_with_long_names_only_are_counted_and_said_why(
    folders: tuple[Path, Path], python_environment: Path
) -> None:
    files = {
        "test_a.py": "import pytest\n\n@pytest.mark.parametrize('text', 'x', ids=['x' * 100_000])\n"
        "def test_text(text):\n    assert not text\n",
    }

    report = await _report(folders, python_environment, files)

    assert (report.outcome, report.failed, report.failures) == ("failed", 1, ())
    assert report.detail == "1 failing, whose names are longer than 2000 letters"


async def test_all_that_fails_is_told_whatever_the_repository_asks_for(
    folders: tuple[Path, Path], python_environment: Path
) -> None:
    files = {
        "pytest.ini": "[pytest]\naddopts = -x --maxfail=1 -p no:logging --tb=no\n",
        "test_a.py": "def test_a():\n    assert 0\n\ndef test_b():\n    assert 0\n",
        "test_c.py": "raise RuntimeError('at import')\n",
    }

    report = await _report(folders, python_environment, files)

    assert report.outcome == "failed"
    assert {failure.node_id for failure in report.failures} == {
        "test_a.py::test_a",
        "test_a.py::test_b",
        "test_c.py",
    }
    assert report.failures[0].message


async def test_skipped_and_expected_failures(
    folders: tuple[Path, Path], python_environment: Path
) -> None:
    files = {
        "test_a.py": "import pytest\n\n"
        "@pytest.mark.skip\ndef test_skipped():\n    assert 0\n\n"
        "@pytest.mark.xfail\ndef test_expected():\n    assert 0\n\n"
        "@pytest.mark.xfail(strict=True)\ndef test_strict():\n    assert 1\n\n"
        "def test_green():\n    assert 1\n"
    }

    report = await _report(folders, python_environment, files)

    assert _counts(report) == ("failed", 4, 1, 1, 2)
    assert _only(report).node_id == "test_a.py::test_strict"


async def test_when_all_are_skipped_nothing_was_tested(
    folders: tuple[Path, Path], python_environment: Path
) -> None:
    files = {"test_a.py": "import pytest\n\n@pytest.mark.skip\ndef test_a():\n    pass\n"}

    report = await _report(folders, python_environment, files)

    assert _counts(report) == ("no_tests", 1, 0, 0, 1)
    assert report.detail == "all 1 tests were skipped"


async def test_when_there_is_nothing_to_collect(
    folders: tuple[Path, Path], python_environment: Path
) -> None:
    report = await _report(folders, python_environment, {"test_a.py": "VALUE = 1\n"})

    assert _counts(report) == ("no_tests", 0, 0, 0, 0)
    assert report.detail == "no tests were collected"


async def test_a_file_that_cannot_be_collected_is_a_failure(
    folders: tuple[Path, Path], python_environment: Path
) -> None:
    files = {
        "shop.py": "def f():\n    return nothing_of_that_name\n\nVALUE = f()\n",
        "test_a.py": "import shop\n\ndef test_a():\n    assert 1\n",
        "test_b.py": "def test_b():\n    assert 1\n",
        "test_c.py": "def test_c(:\n",
    }

    report = await _report(folders, python_environment, files)

    assert report.outcome == "failed"
    assert report.passed == 1
    told = {each.node_id: each for each in report.failures}
    assert set(told) == {"test_a.py", "test_c.py"}
    assert {each.phase for each in report.failures} == {"collect"}
    assert told["test_a.py"].exception == "NameError"
    assert told["test_c.py"].exception == "SyntaxError"


async def test_errors_of_fixtures_are_told_with_their_phase(
    folders: tuple[Path, Path], python_environment: Path
) -> None:
    files = {
        "test_a.py": "import pytest\n\n"
        "@pytest.fixture\ndef early():\n    raise ValueError('early')\n\n"
        "@pytest.fixture\ndef late():\n    yield\n    raise ValueError('late')\n\n"
        "def test_early(early):\n    pass\n\ndef test_late(late):\n    pass\n"
    }

    report = await _report(folders, python_environment, files)

    assert {each.node_id: each.phase for each in report.failures} == {
        "test_a.py::test_early": "setup",
        "test_a.py::test_late": "teardown",
    }


@pytest.mark.parametrize(
    ("crash", "code"),
    [
        ("import os\n    os._exit(3)", "3"),
        ("import os\n    os.kill(os.getpid(), 9)", "137"),
        ("import ctypes\n    ctypes.string_at(0)", ""),
    ],
    ids=["exit", "kill", "segmentation fault"],
)
async def test_a_crash_is_the_failure_of_the_test_that_ran(
    folders: tuple[Path, Path], python_environment: Path, crash: str, code: str
) -> None:
    files = {
        "test_a.py": "def test_before():\n    assert 1\n\n"
        f"def test_crash():\n    {crash}\n\ndef test_after():\n    assert 1\n"
    }

    report = await _report(folders, python_environment, files)

    assert report.outcome == "failed"
    assert report.passed == 1
    failure = _only(report)
    assert failure.exception == "Crash"
    assert failure.node_id == "test_a.py::test_crash"
    assert f"exit code {code}" in failure.message


async def test_a_test_that_exits_with_success_is_not_green(
    folders: tuple[Path, Path], python_environment: Path
) -> None:
    files = {
        "test_a.py": "import os\n\ndef test_before():\n    assert 1\n\n"
        "def test_exit():\n    os._exit(0)\n\ndef test_after():\n    assert 0\n"
    }

    report = await _report(folders, python_environment, files)

    assert report.outcome in ("failed", "broken")


async def test_text_that_cannot_be_encoded_is_told_in_part(
    folders: tuple[Path, Path], python_environment: Path
) -> None:
    files = {"test_a.py": "def test_a():\n    raise ValueError('caf\\udce9 größe')\n"}

    report = await _report(folders, python_environment, files)

    assert "größe" in _only(report).message
    assert report.model_dump_json()


async def test_what_steers_a_terminal_is_not_told(
    folders: tuple[Path, Path], python_environment: Path
) -> None:
    files = {
        "test_a.py": "def test_a():\n    print('\\x1b]0;title\\x07 out')\n"
        "    raise ValueError('\\x1b[2Jred\\ttab')\n"
    }

    failure = _only(await _report(folders, python_environment, files))

    assert "ValueError: red\ttab" in failure.message
    assert "\n out" in failure.output
    assert "title" not in failure.output
    assert "\x1b" not in failure.message + failure.output


async def test_a_test_that_ends_the_session_with_success_is_not_green(
    folders: tuple[Path, Path], python_environment: Path
) -> None:
    files = {
        "test_a.py": "def test_a():\n    assert 1\n",
        "test_b.py": "import pytest\n\ndef test_b():\n    pytest.exit('bye', returncode=0)\n",
        "test_c.py": "def test_c():\n    assert 0\n",
    }

    report = await _report(folders, python_environment, files)

    assert report.outcome == "broken"
    assert report.detail.startswith("pytest was ended while a test ran")


async def test_a_suite_that_does_not_end_is_ended(
    folders: tuple[Path, Path], python_environment: Path
) -> None:
    files = {
        "test_a.py": "import time\n\ndef test_before():\n    assert 1\n\n"
        "def test_endless():\n    time.sleep(600)\n"
    }

    report = await _report(folders, python_environment, files, TestSection(timeout=3))

    assert report.outcome == "failed"
    failure = _only(report)
    assert failure.exception == "Timeout"
    assert failure.node_id == "test_a.py::test_endless"
    assert "after 3 s" in failure.message


async def test_a_usage_error_is_broken_and_says_why(
    folders: tuple[Path, Path], python_environment: Path
) -> None:
    files = {
        "pytest.ini": "[pytest]\naddopts = --no-such-option\n",
        "test_a.py": "def test_a(): 1\n",
    }

    report = await _report(folders, python_environment, files)

    assert report.outcome == "broken"
    assert "--no-such-option" in report.detail


async def test_a_conftest_that_fails_is_not_green(
    folders: tuple[Path, Path], python_environment: Path
) -> None:
    files = {"conftest.py": "raise RuntimeError('no')\n", "test_a.py": "def test_a(): assert 1\n"}

    report = await _report(folders, python_environment, files)

    assert report.outcome in ("failed", "broken")


async def test_a_forged_result_that_is_a_link_is_not_read(
    folders: tuple[Path, Path], python_environment: Path, tmp_path: Path
) -> None:
    (tmp_path / "outside.jsonl").write_text('{"$report_type": "SessionFinish", "exitstatus": 0}\n')
    files = {
        "conftest.py": "import os, pathlib\n\ndef pytest_unconfigure(config):\n"
        "    log = pathlib.Path(config.getoption('report_log'))\n    log.unlink()\n"
        f"    log.symlink_to({str(tmp_path / 'outside.jsonl')!r})\n",
        "test_a.py": "def test_a():\n    assert 1\n",
    }

    report = await _report(folders, python_environment, files, keep=True)

    assert report.outcome != "passed"
    assert report.log is None


async def test_the_set_of_tests_has_one_digest(
    folders: tuple[Path, Path], python_environment: Path
) -> None:
    green = "def test_a():\n    assert 1\n\ndef test_b():\n    assert 1\n"
    red = green.replace("assert 1\n\n", "assert 0\n\n")
    digests = []
    for text in (green, red, green.replace("test_b", "test_c")):
        report = await _report(folders, python_environment, {"test_a.py": text})
        digests.append(report.collected_digest)
        (folders[1] / "report.jsonl").unlink()

    assert digests[0] == digests[1] != digests[2]


async def test_paths_and_arguments_choose_the_tests(
    folders: tuple[Path, Path], python_environment: Path
) -> None:
    files = {
        "tests/unit/test_a.py": "def test_a(): assert 1\n\ndef test_slow(): assert 0\n",
        "tests/e2e/test_b.py": "def test_b(): assert 0\n",
    }
    section = TestSection(paths=("tests/unit",), arguments=("-k", "not slow"))

    report = await _report(folders, python_environment, files, section)

    assert _counts(report) == ("passed", 1, 1, 0, 0)


async def test_coverage_and_raw_files_are_kept(
    folders: tuple[Path, Path], python_environment: Path
) -> None:
    files = {
        "shop.py": "def f(a):\n    if a:\n        return 1\n    return 2\n",
        "test_a.py": "from shop import f\n\ndef test_a():\n    print('hello'); assert f(1)\n",
    }

    report = await _report(folders, python_environment, files, coverage=True, keep=True)

    assert report.coverage_percent is not None
    assert 50 <= report.coverage_percent < 100
    assert report.log is not None
    assert b"test_a.py::test_a" in await get_bytes(report.log)
    assert report.output is not None
    assert b"1 passed" in await get_bytes(report.output)
    assert report.coverage is not None
    assert b"shop.py" in await get_bytes(report.coverage)


async def test_names_that_depend_on_addresses_are_the_same_in_each_run(
    folders: tuple[Path, Path], python_environment: Path, tmp_path: Path
) -> None:
    # Up to Python 3.11 the hash of None is its address, and so decides the order of the set; a
    # test's name has its place there for what has no name of its own.
    text = (
        "from datetime import date\n\nimport pytest\n\n"
        'CASES = {(f"case {n}", date(2020, 1, n), None) for n in range(1, 31)}\n\n'
        '@pytest.mark.parametrize("name, day, wanted", CASES)\n'
        "def test_it(name, day, wanted):\n    assert day.day != 7\n"
    )
    digests, failing = set(), set()
    for number in range(3):
        results = tmp_path / f"results-{number}"
        results.mkdir()
        report = await _report((folders[0], results), python_environment, {"test_a.py": text})
        digests.add(report.collected_digest)
        failing.add(_only(report).node_id)

    assert len(digests) == 1
    assert len(failing) == 1
