"""What a test run says, as data."""

from typing import Literal

from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.base import Contract

TestOutcome = Literal["passed", "failed", "no_tests", "broken"]


class Frame(Contract):
    """One traceback entry inside the repository."""

    path: str
    """Relative to the repository's root, with forward slashes."""
    line: int
    function: str = ""


class TestFailure(Contract):
    """One failing test, or one file that could not be collected."""

    __test__ = False

    node_id: str
    phase: Literal["collect", "setup", "call", "teardown"]
    exception: str
    """The exception's class name; empty when the runner did not tell."""
    message: str
    """The first lines of the assertion detail or exception text, at most 2,000 characters."""
    frames: tuple[Frame, ...] = ()
    output: str = ""
    """Captured output, its last 2,000 characters."""


class TestReport(Contract):
    """The result of one run of a stage's tests. Failing tests are a result, not an error."""

    __test__ = False

    outcome: TestOutcome
    """`broken` means that the runner itself failed: a usage error, a crash, a killed process."""
    total: int
    passed: int
    failed: int
    skipped: int
    failures: tuple[TestFailure, ...] = ()
    """At most 50, without those whose names no payload could hold; `failed` counts all."""
    collected_digest: str = ""
    """SHA-256 over the sorted collected node ids."""
    finished: bool = True
    """False when the test process ended before its last test."""
    coverage_percent: float | None = None
    seconds: float
    detail: str = ""
    """Why the outcome is `broken` or `no_tests`, or why no failure is told, in one line."""
    log: ArtifactRef | None = None
    """pytest's report log, one JSON object a line."""
    output: ArtifactRef | None = None
    """Everything the runner printed."""
    coverage: ArtifactRef | None = None
    """coverage.py's JSON report."""


class Evidence(Contract):
    """One thing that triage did, and what came of it."""

    check: str
    """What was run or read."""
    runs: int
    """How often it was run; 0 when it was only read, or could not be run."""
    result: str
    """What came of it, in one line."""


class Triage(Contract):
    """What kind of failure it is, decided by running again and not by guessing."""

    kind: Literal["reproducible", "upstream", "flaky", "infrastructure"]
    """`upstream` when every failing test was red on the parent commit already."""
    reason: str
    """The evidence in one clause."""
    failing: tuple[str, ...] = ()
    """Node ids that failed each time, alone and on the unpatched source."""
    flaky: tuple[str, ...] = ()
    """Node ids that passed when run again."""
    order_dependent: tuple[str, ...] = ()
    """Those that fail whenever the whole stage runs, and never alone."""
    regressed: tuple[str, ...] = ()
    """Those of the order-dependent ones that do not fail in the whole stage of the parent commit:
    this commit broke them. Beside failing tests they are not among the flaky ones."""
    upstream: tuple[str, ...] = ()
    """Those of the failing ones that fail in the same way on the parent commit."""
    parent: str = ""
    """The parent commit, where the failing tests were run on it."""
    lasting: bool = False
    """Whether running again later is no use, since what is missing stays missing."""
    evidence: tuple[Evidence, ...] = ()
    signature: str = ""
    """`failure_signature` of the failing tests; empty when none fails each time."""


class Verification(Contract):
    """Whether a patch holds, checked in a fresh workspace."""

    verified: bool
    reason: str
    """What was checked, or what failed, in one line."""
    patch: ArtifactRef
    """The patch without the hunks that were not needed; the given one when not verified."""
    tree: str = ""
    """Git's hash of the patched tree."""
    report: TestReport | None = None
    """The stage's whole suite on the patched tree."""
    flaky: tuple[str, ...] = ()
    """Tests that failed on the way and for which the patch is not to blame."""
