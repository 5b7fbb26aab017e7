"""Failures of the machine are told from failures of the code by what they say."""

from pathlib import Path

import pytest

from activities.healing.triage import broken_runner_trouble, machine_trouble
from regreen.contracts.testing import TestFailure, TestReport
from regreen.pipeline_file import BuildSection, Pipeline

PIPELINE = Pipeline()


def _failure(exception: str, message: str, node_id: str = "test_a.py::test_a") -> TestFailure:
    return TestFailure(node_id=node_id, phase="call", exception=exception, message=message)


def _reason(tree: Path, *failures: TestFailure, pipeline: Pipeline = PIPELINE) -> str:
    found = machine_trouble(tree, pipeline, failures)
    return "" if found is None else found.reason


def _broken(detail: str) -> TestReport:
    return TestReport(
        outcome="broken", total=0, passed=0, failed=0, skipped=0, seconds=1, detail=detail
    )


@pytest.mark.parametrize(
    ("exception", "message", "reason", "lasting"),
    [
        ("MemoryError", "MemoryError", "out of memory: give the runner more", False),
        ("_ArrayMemoryError", "Unable to allocate 8 TiB", "out of memory", False),
        ("gaierror", "[Errno -2] Name or service not known", "name resolution failed", False),
        ("URLError", "<Temporary failure in name resolution>", "name resolution failed", False),
        ("OSError", "OSError: [Errno 28] No space left on device", "the disk is full", False),
        ("OSError", "OSError: [Errno 101] Network is unreachable", "no network", False),
        ("OSError", "OSError: [Errno 12] Cannot allocate memory", "out of memory", False),
        (
            "ModuleNotFoundError",
            "ModuleNotFoundError: No module named 'numpy.linalg'",
            "third-party package `numpy.linalg` is not installed: add `numpy` to a "
            "`requirements.txt`",
            True,
        ),
        (
            "ModuleNotFoundError",
            "No module named 'yaml'",
            "third-party package `yaml` is not installed: add `PyYAML` to",
            True,
        ),
        (
            "ImportError",
            "ImportError: libGL.so.1: cannot open shared object file: No such file or directory",
            "system library `libGL.so.1` is missing: install it on the runner",
            True,
        ),
        ("", "fixture 'mocker' not found", "no fixture `mocker`, a pytest plugin is missing", True),
        ("", "fixture 'mine' not found", "no fixture `mine`, a pytest plugin is missing", True),
        (
            "",
            "async def functions are not natively supported.",
            "no pytest plugin runs `async def` tests: add `pytest-asyncio`",
            True,
        ),
        (
            "Crash",
            "the test process ended with exit code 137 while this test ran",
            "the test process was killed from outside",
            False,
        ),
    ],
)
def test_the_machine_is_told(
    exception: str, message: str, reason: str, lasting: bool, tmp_path: Path
) -> None:
    told = machine_trouble(tmp_path, PIPELINE, [_failure(exception, message)])

    assert told is not None
    assert told.reason.startswith(reason)
    assert told.reason.endswith("(test_a.py::test_a)")
    assert told.lasting is lasting


@pytest.mark.parametrize(
    ("exception", "message"),
    [
        ("AssertionError", "assert 1 == 2"),
        ("KeyError", "KeyError: 'price'"),
        ("ConnectionRefusedError", "[Errno 111] Connection refused"),
        ("TimeoutError", ""),
        ("ImportError", "cannot import name 'total' from 'shop'"),
        ("ModuleNotFoundError", "No module named 'json.nothing'"),
        ("Crash", "the test process ended with exit code 139 while this test ran"),
        ("", ""),
        # What an assertion quotes happened to nobody.
        ("", "assert \"No module named 'numpy'\" == 'No space left on device'"),
        ("AssertionError", "AssertionError: Network is unreachable"),
    ],
)
def test_what_may_be_the_code_is_healed(exception: str, message: str, tmp_path: Path) -> None:
    assert _reason(tmp_path, _failure(exception, message)) == ""


@pytest.mark.parametrize("place", ["shop", "src/shop", "tests/shop", "shop.py", "src/shop.py"])
def test_a_missing_module_of_the_repository_is_the_codes(place: str, tmp_path: Path) -> None:
    path = tmp_path / place
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix:
        path.write_text("")
    else:
        path.mkdir()
    failure = _failure("ModuleNotFoundError", "No module named 'shop.prices'")

    assert _reason(tmp_path, failure) == ""


def test_a_module_that_is_nearly_the_repositorys_is_a_misspelling(tmp_path: Path) -> None:
    (tmp_path / "prices.py").write_text("")

    assert _reason(tmp_path, _failure("ModuleNotFoundError", "No module named 'pricse'")) == ""
    assert _reason(tmp_path, _failure("ModuleNotFoundError", "No module named 'rich'")) != ""


@pytest.mark.parametrize(
    ("files", "build", "place"),
    [
        ({"requirements.txt": "", "requirements-dev.txt": ""}, {}, "`requirements-dev.txt`"),
        ({"requirements.txt": ""}, {}, "`requirements.txt`"),
        ({"requirements.txt": ""}, {"requirements": ("ci/test.txt",)}, "`ci/test.txt`"),
        (
            {"pyproject.toml": "[dependency-groups]\ndev = []\n"},
            {},
            "the dependency group `dev` in `pyproject.toml`",
        ),
        (
            {
                "pyproject.toml": "[project]\nname = 'shop'\n"
                "[project.optional-dependencies]\ntest = []\n"
            },
            {},
            "the extra `test` in `pyproject.toml`",
        ),
        (
            {"pyproject.toml": "[project]\nname = 'shop'\n"},
            {},
            "the dependencies in `pyproject.toml`",
        ),
        ({"pyproject.toml": "not = [toml"}, {}, "a `requirements.txt`"),
        ({"pyproject.toml": "project = 1\ndependency-groups = 2\n"}, {}, "the dependencies in"),
    ],
)
def test_the_way_out_is_the_file_that_the_repository_has(
    files: dict[str, str], build: dict[str, object], place: str, tmp_path: Path
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    pipeline = Pipeline(build=BuildSection.model_validate(build))

    told = _reason(tmp_path, _failure("", "fixture 'mocker' not found"), pipeline=pipeline)

    assert f": add `pytest-mock` to {place}" in told


def test_one_failure_of_the_machine_is_enough(tmp_path: Path) -> None:
    failures = [
        _failure("AssertionError", "assert 0"),
        _failure("MemoryError", "", "test_b.py::test_large"),
    ]

    told = _reason(tmp_path, *failures)

    assert told.startswith("out of memory")
    assert told.endswith("(test_b.py::test_large)")


def test_nothing_failed(tmp_path: Path) -> None:
    assert _reason(tmp_path) == ""


@pytest.mark.parametrize(
    ("detail", "reason"),
    [
        ("pytest ended with exit code 137: no output", "pytest was killed from outside"),
        ("pytest ended with exit code -9: no output", "pytest was killed from outside"),
        (
            "pytest did not end within 600 s",
            "pytest did not end within 600 s: raise `unit.timeout`, or find what hangs",
        ),
        (
            "pytest ended with exit code 4: __main__.py: error: unrecognized arguments: --cov=shop",
            "pytest does not know `--cov`, a plugin is missing: add `pytest-cov` to",
        ),
        (
            "pytest ended with exit code 4: error: unrecognized arguments: --nobody-knows",
            "pytest does not know `--nobody-knows`, a plugin is missing: add the plugin",
        ),
        (
            "pytest ended with exit code 4: E   ModuleNotFoundError: No module named 'numpy'",
            "third-party package `numpy` is not installed",
        ),
        (
            "pytest ended with exit code 3: OSError: [Errno 28] No space left on device",
            "the disk is full",
        ),
    ],
)
def test_a_runner_that_cannot_work_is_the_machines(
    detail: str, reason: str, tmp_path: Path
) -> None:
    found = broken_runner_trouble(tmp_path, PIPELINE, "unit", _broken(detail))

    assert found is not None
    assert found.reason.startswith(reason)


@pytest.mark.parametrize(
    "detail",
    [
        "pytest ended with exit code 4: RuntimeError: no",
        "pytest ended with exit code 4: ERROR: file or directory not found: nothing",
        "pytest was ended while a test ran: the tests after it did not run",
    ],
)
def test_a_runner_that_the_repository_breaks_is_not(detail: str, tmp_path: Path) -> None:
    assert broken_runner_trouble(tmp_path, PIPELINE, "unit", _broken(detail)) is None
