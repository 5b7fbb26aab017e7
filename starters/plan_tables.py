"""The plan of a release and its checklist as tables that fit 80 columns."""

from rich.table import Table
from rich.text import Text

from regreen.contracts.checklist import Checklist
from regreen.contracts.release_plan import ReleaseChanges, ReleasePlan
from regreen.plan_text import changes_line, file_line, plan_line
from starters.console import output

_COLOURS = {"met": "green", "unmet": "bold red", "pending": "yellow", "off": "yellow"}
_WIDTH = 78


def print_plan(plan: ReleasePlan, *, briefly: bool = False) -> None:
    """Print version and reason, the commits that decide, what has changed, and the steps.

    `briefly` leaves out single commits, files and steps.
    """
    _line(plan_line(plan))
    if briefly:
        if plan.changes is not None:
            _line(f"  since {plan.previous_tag}: {changes_line(plan.changes)}")
        return
    for text in plan.deciding:
        _line(f"  {text}", cut=True)
    for text in plan.breaking:
        _line(f"breaks: {text}")
    for text in plan.remarks:
        _line(f"note: {text}")
    if plan.changes is not None:
        _print_changes(plan.previous_tag or "", plan.changes)
    output.print()
    table = Table(box=None, pad_edge=False)
    table.add_column("step", no_wrap=True)
    table.add_column("can be", no_wrap=True)
    table.add_column("place", overflow="fold", max_width=28)
    table.add_column("taken back by", overflow="fold", max_width=24)
    for step in plan.steps:
        table.add_row(Text(step.name), step.kind, Text(step.place), Text(step.undo))
    output.print(table)


def print_checklist(checklist: Checklist, *, briefly: bool = False) -> None:
    """Print the items with their states; `briefly` only those that block or are off."""
    items = [item for item in checklist.items if not briefly or item.state in ("unmet", "off")]
    if not items:
        return
    output.print()
    table = Table(box=None, pad_edge=False)
    table.add_column("checklist", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("what", overflow="fold", max_width=50)
    for item in items:
        state = Text(item.state, style=_COLOURS.get(item.state, "dim"))
        table.add_row(item.name, state, Text(item.detail))
    output.print(table)


def _print_changes(previous: str, changes: ReleaseChanges) -> None:
    _line(f"since {previous}: {changes_line(changes)}")
    for text in changes.commits:
        _line(f"  {text}", cut=True)
    if changes.commit_count > len(changes.commits):
        _line(f"  and {changes.commit_count - len(changes.commits):,} more")
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold", max_width=56)
    for file in changes.files:
        table.add_row(f"  {file_line(file)}", Text(file.path))
    output.print(table)
    if changes.file_count > len(changes.files):
        _line(f"  and {changes.file_count - len(changes.files):,} more")


def _line(text: str, *, cut: bool = False) -> None:
    shown = f"{text[: _WIDTH - 1]}…" if cut and len(text) > _WIDTH else text
    output.print(shown, markup=False, highlight=False, soft_wrap=cut)
