"""What makes two red stages the same failure, in this run and in others."""

import hashlib
import json
from collections.abc import Collection, Sequence

from regreen.contracts.testing import TestFailure


def failure_signature(
    stage: str, failures: Sequence[TestFailure], failing: Collection[str] | None = None
) -> str:
    """Sixteen hexadecimal digits over the stage, its failing tests and how each of them fails.

    `failing` leaves out other tests, such as flaky ones; None: all count. Messages do not count,
    for they hold values, addresses and times that differ from run to run.
    """
    named = sorted(
        (failure.node_id, failure.phase, failure.exception)
        for failure in failures
        if failing is None or failure.node_id in failing
    )
    return hashlib.sha256(json.dumps([stage, named]).encode()).hexdigest()[:16]
