"""Failures of the machine are told from failures of the code by what they say."""

from pathlib import Path

import pytest

from activities.healing.triage import infrastructure_reason
from regreen.contracts.testing import TestFailure


def _failure(exception: str, message: str, node_id: str = "test_a.py::test_a") -> TestFailure:
    return TestFailure(node_id=node_id, phase="call", exception=exception, message=message)


@pytest.mark.parametrize(
    ("exception", "message", "reason"),
    [
        ("MemoryError", "MemoryError", "out of memory"),
        ("gaierror", "[Errno -2] Name or service not known", "name resolution failed"),
        ("URLError", "<[Errno -3] Temporary failure in name resolution>", "name resolution failed"),
        ("OSError", "OSError: [Errno 28] No space left on device", "the disk is full"),
        ("OSError", "OSError: [Errno 101] Network is unreachable", "no network"),
        ("OSError", "OSError: [Errno 12] Cannot allocate memory", "out of memory"),
        (
            "ModuleNotFoundError",
            "ModuleNotFoundError: No module named 'numpy.linalg'",
            "third-party package `numpy.linalg` is not installed",
        ),
        ("", "fixture 'mocker' not found", "no fixture `mocker`"),
    ],
)
def test_the_machine_is_told(exception: str, message: str, reason: str, tmp_path: Path) -> None:
    told = infrastructure_reason(tmp_path, [_failure(exception, message)])

    assert told.startswith(reason)
    assert told.endswith("(test_a.py::test_a)")


@pytest.mark.parametrize(
    ("exception", "message"),
    [
        ("AssertionError", "assert 1 == 2"),
        ("KeyError", "KeyError: 'price'"),
        ("ConnectionRefusedError", "[Errno 111] Connection refused"),
        ("TimeoutError", ""),
        ("ImportError", "cannot import name 'total' from 'shop'"),
        ("ModuleNotFoundError", "No module named 'json.nothing'"),
        ("", ""),
    ],
)
def test_what_may_be_the_code_is_healed(exception: str, message: str, tmp_path: Path) -> None:
    assert infrastructure_reason(tmp_path, [_failure(exception, message)]) == ""


@pytest.mark.parametrize("place", ["shop", "src/shop", "tests/shop", "shop.py", "src/shop.py"])
def test_a_missing_module_of_the_repository_is_the_codes(place: str, tmp_path: Path) -> None:
    path = tmp_path / place
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix:
        path.write_text("")
    else:
        path.mkdir()
    failure = _failure("ModuleNotFoundError", "No module named 'shop.prices'")

    assert infrastructure_reason(tmp_path, [failure]) == ""


def test_one_failure_of_the_machine_is_enough(tmp_path: Path) -> None:
    failures = [
        _failure("AssertionError", "assert 0"),
        _failure("MemoryError", "", "test_b.py::test_large"),
    ]

    assert infrastructure_reason(tmp_path, failures) == "out of memory (test_b.py::test_large)"


def test_nothing_failed(tmp_path: Path) -> None:
    assert infrastructure_reason(tmp_path, []) == ""
