"""The plan of a release and its checklist in Markdown, for whoever approves."""

from regreen.contracts.checklist import Checklist
from regreen.contracts.release_plan import ChangedFile, ReleaseChanges, ReleasePlan
from regreen.markdown import cell, code, prose

_MARKS = {"met": "met", "unmet": "**UNMET**", "pending": "pending", "off": "off", "unneeded": "–"}


def plan_markdown(plan: ReleasePlan, checklist: Checklist | None) -> str:
    """Version and reason, what has changed, the steps and the checklist; at most some 20 kB."""
    lines = [f"### Release {code(plan.tag)}", "", prose(plan_line(plan)), ""]
    lines += [f"- {prose(remark)}" for remark in plan.remarks]
    lines += [f"- breaks: {prose(text)}" for text in plan.breaking]
    if plan.changes is not None:
        lines += ["", f"**Since {code(plan.previous_tag or '')}:** {changes_line(plan.changes)}."]
        lines += ["", *_changes(plan.changes)]
    lines += ["", "| step | can be | place | taken back by |", "|---|---|---|---|"]
    lines += [
        f"| {step.name} | {step.kind} | {cell(code(step.place))} | {cell(prose(step.undo))} |"
        for step in plan.steps
    ]
    if checklist is not None and checklist.items:
        lines += ["", "| checklist | state | what |", "|---|---|---|"]
        lines += [
            f"| {item.name} | {_MARKS[item.state]} | {cell(prose(item.detail, 300))} |"
            for item in checklist.items
        ]
    return "\n".join(lines)


def plan_line(plan: ReleasePlan) -> str:
    """The version and its reason in one line."""
    after = f" after {plan.previous_tag}" if plan.previous_tag else ""
    kind = "pre-release" if plan.prerelease else "release"
    return f"{kind} {plan.version}{after} ({plan.bump}): {plan.because}"


def changes_line(changes: ReleaseChanges) -> str:
    """How much has changed, in one line."""
    return (
        f"{_counted(changes.commit_count, 'commit')}, {_counted(changes.file_count, 'file')}, "
        f"+{changes.insertions:,} −{changes.deletions:,} lines"
    )


def file_line(file: ChangedFile) -> str:
    """How much of a file has changed, in a few words."""
    if file.insertions is None or file.deletions is None:
        return "binary"
    return f"+{file.insertions:,} −{file.deletions:,}"


def _changes(changes: ReleaseChanges) -> list[str]:
    lines = [f"- {code(commit)}" for commit in changes.commits]
    if changes.commit_count > len(changes.commits):
        lines.append(f"- and {changes.commit_count - len(changes.commits):,} more")
    lines += ["", *(f"- {code(file.path)} {file_line(file)}" for file in changes.files)]
    if changes.file_count > len(changes.files):
        lines.append(f"- and {changes.file_count - len(changes.files):,} more")
    return [*lines, "", f"The whole diff is the artifact {changes.diff.sha256}."]


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
