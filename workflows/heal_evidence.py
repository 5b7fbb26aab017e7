"""What of a heal's course is kept for the person who reviews it."""

from collections.abc import Sequence

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from regreen.contracts.healing import Attempt, FailedTest, HealEvidence, TestCounts
    from regreen.contracts.testing import TestReport, Triage

_MESSAGE = 300


def heal_evidence(
    report: TestReport,
    triage: Triage,
    patched: TestReport,
    attempts: Sequence[Attempt],
) -> HealEvidence:
    """The evidence of a stage that was red in `report` and is green in `patched`."""
    return HealEvidence(
        failures=tuple(
            FailedTest(
                node_id=failure.node_id,
                exception=failure.exception,
                message=(failure.message.strip().splitlines() or [""])[0][:_MESSAGE],
            )
            for failure in report.failures
            if failure.node_id in triage.failing
        ),
        before=_counts(report),
        after=_counts(patched),
        verified=attempts[-1].reason,
        triage=triage,
        attempts=tuple(attempts),
    )


def _counts(report: TestReport) -> TestCounts:
    return TestCounts(
        total=report.total, passed=report.passed, failed=report.failed, skipped=report.skipped
    )
