"""Showing what gates found, and writing it as one SARIF file."""

from pathlib import Path

from activities.artifact_store import get_bytes
from activities.sarif import merged_sarif
from regreen.contracts.run import RunReport
from regreen.errors import UsageError
from starters.console import output
from workflows.run_findings import stage_logs


def print_gates(report: RunReport) -> None:
    """Print each gate with its blocking and waived findings to standard output."""
    for stage in report.stages:
        for gate in stage.gates:
            _line(f"\n{stage.name}, {gate.gate}: {gate.state}", style="bold")
            _line(f"  {gate.summary}")
            for finding in gate.blocking:
                place = f" at {finding.place}" if finding.place else ""
                _line(
                    f"  {finding.severity}: {finding.rule}{place}: {finding.message}"
                    f"{finding.finders}"
                )
            for each in gate.waived:
                found, waiver = each.finding, each.waiver
                place = f" at {found.place}" if found.place else ""
                _line(f"  waived: {found.rule}{place}: {found.message}{found.finders}")
                _line(f"    by {waiver.owner} until {waiver.expires}: {waiver.reason}")
            for remark in gate.remarks:
                _line(f"  note: {remark}")


async def write_sarif(report: RunReport, path: Path) -> None:
    """Write all findings of a run's gates to one file. Raises UsageError when it has none yet."""
    logs = [report.findings] if report.findings is not None else stage_logs(report.stages)
    if not logs:
        raise UsageError(f"no gate of {report.workflow_id} has ended yet")
    merged = merged_sarif([await get_bytes(log) for log in logs])
    try:
        path.write_bytes(merged)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error


def _line(text: str, style: str | None = None) -> None:
    output.print(text, style=style, markup=False, highlight=False, soft_wrap=True)
