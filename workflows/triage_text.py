"""Triage in words: for a stage's summary and for the Temporal UI."""

from collections.abc import Sequence

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from regreen.contracts.testing import Triage
    from regreen.markdown import cell, code, prose

_NAMES = 3


def upstream_note(triage: Triage) -> str:
    """`upstream: already red on the parent commit …; `, or nothing."""
    if not triage.upstream:
        return ""
    some = len(triage.upstream) < len(triage.failing)
    share = f"{len(triage.upstream)} of {len(triage.failing)} failing " if some else ""
    return f"upstream: {share}already red on the parent commit {triage.parent[:12]}; "


def quarantine_clause(triage: Triage) -> str:
    """The first flaky tests and how they are known to be flaky."""
    more = "" if len(triage.flaky) <= _NAMES else f" and {len(triage.flaky) - _NAMES} more"
    return f"{', '.join(triage.flaky[:_NAMES])}{more} ({triage.reason})"


def quarantine_count(quarantined: Sequence[str]) -> str:
    """For the summary of a step that leaves flaky tests aside; empty when there are none."""
    return f", {len(quarantined)} quarantined as flaky" if quarantined else ""


def triage_lines(triage: Triage | None, quarantined: Sequence[str]) -> list[str]:
    """Markdown: kind and evidence of a red stage, and what was left aside."""
    lines = []
    if triage is not None:
        lines += [f"Triage: {triage.kind}, {prose(triage.reason)}", ""]
        lines += ["| evidence | runs | result |", "|---|---|---|"]
        lines += [
            f"| {cell(prose(each.check))} | {each.runs} | {cell(prose(each.result))} |"
            for each in triage.evidence
        ]
        lines.append("")
    if quarantined:
        names = ", ".join(code(node_id) for node_id in quarantined)
        lines += [f"Quarantined as flaky: {names}", ""]
    return lines
