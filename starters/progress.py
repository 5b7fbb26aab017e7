"""Showing a run on standard error: a live table on a terminal, plain lines elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from regreen.contracts.run import StageReport
from starters.runs import Progress

_COLOURS = {
    "passed": "green",
    "healed": "bold green",
    "released": "bold green",
    "failed": "red",
    "rejected": "red",
    "expired": "red",
    "cancelled": "yellow",
    "waiting": "yellow",
    "skipped": "dim",
}


def coloured(state: str) -> Text:
    """A state in its colour."""
    return Text(state, style=_COLOURS.get(state, ""))


@contextmanager
def shown(console: Console) -> Iterator[Callable[[Progress], None]]:
    """A function that shows a run's progress each time it is called."""
    if console.is_terminal:
        with Live(console=console, refresh_per_second=4, transient=True) as live:
            yield lambda progress: live.update(_table(progress))
        return
    seen: set[str] = set()

    def show(progress: Progress) -> None:
        for line in _lines(progress):
            if line not in seen:
                seen.add(line)
                console.print(line, markup=False, highlight=False, soft_wrap=True)

    yield show


def stage_table(stages: tuple[StageReport, ...]) -> Table:
    """The stages as a table that fits 80 columns."""
    table = Table(box=None, pad_edge=False, expand=False)
    table.add_column("stage", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("seconds", justify="right", no_wrap=True)
    table.add_column("summary", overflow="fold", max_width=56)
    for stage in stages:
        state = stage.state or ("running" if stage.running else "")
        seconds = f"{stage.seconds:.1f}" if stage.state and stage.seconds else ""
        table.add_row(stage.name, coloured(state), seconds, Text(stage.summary))
    return table


def _table(progress: Progress) -> Group:
    parts: list[Table | Text] = [stage_table(progress.report.stages)]
    for stage, result in progress.attempts.items():
        parts.append(Text(f"{stage}: {result.summary}", style="cyan"))
    for subject, line in progress.activity.items():
        parts.append(Text(f"  {subject}: {line}"[:200], style="dim", overflow="ellipsis"))
    return Group(*parts)


def _lines(progress: Progress) -> Iterator[str]:
    for stage in progress.report.stages:
        if stage.state is not None:
            seconds = f" in {stage.seconds:.1f} s" if stage.seconds else ""
            yield f"{stage.name}: {stage.state}{seconds}: {stage.summary}"
        elif stage.running:
            yield f"{stage.name}: running"
    for name, result in progress.attempts.items():
        for attempt in result.attempts:
            yield f"{name}: attempt {attempt.number} ({attempt.healer}): {attempt.verdict}: " + (
                attempt.reason
            )
        yield f"{name}: {result.summary}"
