"""Showing what triage found and how it knows."""

from regreen.contracts.run import RunReport
from starters.console import output


def print_triage(report: RunReport) -> None:
    """Print kind and evidence of each red stage to standard output."""
    for stage in report.stages:
        if stage.triage is None:
            continue
        triage = stage.triage
        output.print(
            f"\n{stage.name}, triage: {triage.kind}: {triage.reason}",
            style="bold",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
        for each in triage.evidence:
            times = "" if each.runs == 0 else f", run {each.runs} times"
            if each.runs == 1:
                times = ", run once"
            output.print(
                f"  {each.check}{times}: {each.result}",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )
