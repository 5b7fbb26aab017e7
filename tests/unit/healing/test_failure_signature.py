"""Two red stages are the same failure when the same tests fail in the same way."""

from activities.healing.failure_signature import failure_signature
from regreen.contracts.testing import TestFailure


def _failure(node_id: str, exception: str = "AssertionError", message: str = "") -> TestFailure:
    return TestFailure(node_id=node_id, phase="call", exception=exception, message=message)


def test_order_and_messages_do_not_count() -> None:
    one = [_failure("a", message="at 0x7f01"), _failure("b")]
    other = [_failure("b"), _failure("a", message="at 0x8e22")]
    assert failure_signature("unit", one) == failure_signature("unit", other)


def test_stage_tests_and_exceptions_count() -> None:
    known = failure_signature("unit", [_failure("a")])
    assert known != failure_signature("e2e", [_failure("a")])
    assert known != failure_signature("unit", [_failure("b")])
    assert known != failure_signature("unit", [_failure("a", "KeyError")])


def test_tests_that_are_not_named_do_not_count() -> None:
    both = [_failure("a"), _failure("flaky")]
    assert failure_signature("unit", both, ("a",)) == failure_signature("unit", [_failure("a")])
