"""A run as the Markdown summary of a step of GitHub Actions, and as the step's outputs.

A summary above 1 MiB is refused as a whole
(docs.github.com/actions/reference/workflows-and-actions/workflow-commands), so it is cut before.
"""

from collections.abc import Mapping
from pathlib import Path

from regreen.contracts.run import RunReport, StageReport
from regreen.markdown import cell, code, prose
from starters.progress import stages_of

_MOST_BYTES = 1024 * 1024
_CUT = "\n\nCut here: the summary of a step may have 1 MiB.\n"
_MARKS = {
    "passed": "🟢",
    "healed": "🟢",
    "released": "🟢",
    "failed": "🔴",
    "rejected": "🔴",
    "expired": "🔴",
    "cancelled": "🔴",
}
_FAILING = 50


def write_step_summary(path: Path, report: RunReport, page: str | None) -> None:
    """Append the run's summary to the step's file, within what the file may hold."""
    text = step_summary(report, page).encode()
    held = path.stat().st_size if path.exists() else 0
    left = _MOST_BYTES - held
    if len(text) > left:
        kept = text[: max(0, left - len(_CUT.encode()))].decode("utf-8", "ignore")
        text = (kept + _CUT).encode()[: max(0, left)]
    with path.open("ab") as file:
        file.write(text)


def step_summary(report: RunReport, page: str | None) -> str:
    """The run in Markdown; `page` is its page in the web UI."""
    request = report.request
    mark = _MARKS.get(report.state, "🟡")
    about = f"{code(request.repository)}, ref {code(request.ref)}, commit {code(request.commit)}"
    parts = [f"## {mark} Regreen: {report.state}", "", about, ""]
    if report.reason:
        parts += [prose(report.reason), ""]
    if report.state == "waiting":
        run = report.workflow_id
        parts += [f"To decide: {code(f'regreen approve {run}')}, {code(f'regreen reject {run}')}"]
        parts += [""]
    if report.pull_request is not None:
        found = report.pull_request
        parts += [f"Pull request #{found.number}: {prose(found.url)}", ""]
    if report.release is not None:
        place = report.release.url or report.release.directory
        parts += [f"Release {code(report.release.version)}: {prose(place)}", ""]
    if page is not None:
        parts += [f"[The run in the Temporal UI]({page})", ""]
    if report.stages:
        parts += ["| stage | state | seconds | attempts | summary |", "|---|---|--:|--:|---|"]
        parts += [_row(stage) for stage in stages_of(report)]
    parts += [line for stage in report.stages for line in _details(stage)]
    return "\n".join([*parts, ""])


def step_outputs(report: RunReport, page: str | None) -> dict[str, str]:
    """What later steps of the job can read of the run."""
    return {
        "run": report.workflow_id,
        "state": report.state,
        "ui": page or "",
        "pull-request": report.pull_request.url if report.pull_request else "",
        "version": report.release.version if report.release else "",
    }


def write_outputs(path: Path, outputs: Mapping[str, str]) -> None:
    """Append the outputs to the step's file, a line each."""
    with path.open("a", encoding="utf-8") as file:
        for name, value in outputs.items():
            file.write(f"{name}={' '.join(value.split())}\n")


def _row(stage: StageReport) -> str:
    state = stage.state or ("running" if stage.running else "")
    marked = f"{_MARKS[state]} {state}" if state in _MARKS else state
    seconds = f"{stage.seconds:.1f}" if stage.seconds else ""
    attempts = str(len(stage.attempts) or "")
    return f"| {stage.name} | {marked} | {seconds} | {attempts} | {cell(prose(stage.summary))} |"


def _details(stage: StageReport) -> list[str]:
    lines: list[str] = []
    if stage.state == "failed" and stage.triage is not None and stage.triage.failing:
        failing = stage.triage.failing
        lines += ["", f"**{stage.name}: failing tests**", ""]
        lines += [f"- {code(node_id)}" for node_id in failing[:_FAILING]]
        if len(failing) > _FAILING:
            lines.append(f"- and {len(failing) - _FAILING} more")
    if stage.attempts:
        lines += ["", f"**{stage.name}: heal attempts**", ""]
        lines += ["| attempt | healer | verdict | reason |", "|--:|---|---|---|"]
        lines += [
            f"| {each.number} | {each.healer} | {each.verdict} | {cell(prose(each.reason))} |"
            for each in stage.attempts
        ]
    if stage.quarantined:
        names = ", ".join(code(node_id) for node_id in stage.quarantined)
        lines += ["", f"{stage.name}: quarantined as flaky: {names}"]
    return lines
