"""A run as Markdown, for the Temporal UI's current details."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from regreen.contracts.run import RunReport, StageReport


def run_details(report: RunReport) -> str:
    """The state, what a person can do now, a table of stages, pull request and release."""
    parts = [f"**{report.state}** {report.reason}".rstrip(), ""]
    if report.state == "waiting":
        parts += [
            f"To decide: `regreen approve {report.workflow_id}`, `regreen reject "
            f"{report.workflow_id}`, or send the signal `review` with",
            '`{"reviewer": "YOUR NAME", "decision": "approve"}`.',
            "",
        ]
    parts += ["| stage | state | seconds | attempts | summary |", "|---|---|---|---|---|"]
    parts += [_row(stage) for stage in report.stages]
    if report.pull_request is not None:
        parts += ["", f"Pull request #{report.pull_request.number}: `{report.pull_request.branch}`"]
    if report.release is not None:
        parts += ["", f"Release {report.release.version}: `{report.release.directory}`"]
    return "\n".join(parts)


def _row(stage: StageReport) -> str:
    state = stage.state or ("running" if stage.running else "")
    seconds = f"{stage.seconds:.1f}" if stage.state else ""
    attempts = str(len(stage.attempts)) if stage.attempts else ""
    summary = stage.summary.replace("|", "\\|").replace("\n", " ")
    return f"| {stage.name} | {state} | {seconds} | {attempts} | {summary} |"
