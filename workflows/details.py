"""A run as Markdown, for the Temporal UI's current details."""

import textwrap

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from regreen.contracts.audit import AuditRecord
    from regreen.contracts.run import RunReport, StageReport
    from regreen.markdown import code, prose
    from regreen.plan_text import plan_markdown
    from workflows.triage_text import triage_lines

_SUMMARY = 90
_FINDINGS = 10
_REFUSALS = 5


def run_details(report: RunReport) -> str:
    """The state, what a person can do now, a table of stages, plan, pull request, release."""
    linked = " for" if report.state == "waiting" else ""
    parts = [f"**{report.state}**{linked} {report.reason}".rstrip(), ""]
    if report.state == "waiting":
        parts += [
            f"To decide: `regreen approve {report.workflow_id}`, `regreen reject "
            f"{report.workflow_id}`, or send the signal `review` with",
            '`{"reviewer": "YOUR NAME", "decision": "approve"}`.',
            "",
        ]
    parts += [_row("stage", "state", "seconds", "attempts", "summary"), "|---|---|---|---|---|"]
    parts += [_stage_row(stage) for stage in report.stages]
    parts += [line for stage in report.stages for line in _triage_lines(stage)]
    parts += [line for stage in report.stages for line in _gate_lines(stage)]
    parts += _refusals(report)
    if report.plan is not None:
        parts += ["", plan_markdown(report.plan, report.checklist)]
    if report.pull_request is not None:
        parts += ["", f"Pull request #{report.pull_request.number}: `{report.pull_request.branch}`"]
    if report.release is not None:
        parts += ["", f"Release {report.release.version}: `{report.release.directory}`"]
    parts += _audit_lines(report.audit)
    return "\n".join(parts)


def _refusals(report: RunReport) -> list[str]:
    lines = [
        f"Refused: {each.decision} by {prose(each.reviewer)} ({prose(each.source)}): {each.reason}"
        for each in report.refused_reviews[-_REFUSALS:]
    ]
    return [part for line in lines for part in ("", line)]


def _audit_lines(audit: AuditRecord) -> list[str]:
    """Where the audit record lies, or why it is not what it should be, in one line."""
    if audit.problem:
        return ["", f"**{prose(audit.problem)}**"]
    if audit.record is None:
        return []
    state = "signed" if audit.bundle else f"NOT SIGNED: {prose(audit.unsigned)}"
    told = f", {state}" if audit.sealed else " so far"
    return ["", f"Audit record{told}: `sha256:{audit.record.sha256}`"]


def _row(*cells: str) -> str:
    # The UI gives cells no padding; a no-break space is not trimmed.
    *padded, last = cells
    return "|" + "".join(f"\u00a0{cell}\u00a0|" for cell in padded) + f" {last} |"


def _triage_lines(stage: StageReport) -> list[str]:
    told = triage_lines(stage.triage, stage.quarantined)
    return ["", f"**{stage.name}**", "", *told[:-1]] if told else []


def _gate_lines(stage: StageReport) -> list[str]:
    """What blocks, what is waived and by whom, and what a person should know."""
    lines = []
    for gate in stage.gates:
        lines += [f"- blocks: {code(each.rule)} at {code(each.place)}: {prose(each.message)}"
                  for each in gate.blocking[:_FINDINGS]]  # fmt: skip
        lines += [
            f"- waived: {code(each.finding.rule)} at {code(each.finding.place)} by "
            f"{prose(each.waiver.owner)} until {prose(each.waiver.expires)}: "
            f"{prose(each.waiver.reason, 200)}"
            for each in gate.waived[:_FINDINGS]
        ]
        lines += [f"- {prose(remark)}" for remark in gate.remarks[:_FINDINGS]]
    return ["", f"**{stage.name}**", "", *lines] if lines else []


def _stage_row(stage: StageReport) -> str:
    state = stage.state or ("running" if stage.running else "")
    seconds = f"{stage.seconds:.1f}" if stage.state else ""
    attempts = str(len(stage.attempts)) if stage.attempts else ""
    summary = textwrap.shorten(stage.summary, _SUMMARY, placeholder=" …").replace("|", "\\|")
    return _row(stage.name, state, seconds, attempts, summary)
