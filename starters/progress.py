"""Showing a run on standard error: a live table on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from regreen.contracts.healing import Attempt
from regreen.contracts.run import RunReport, StageReport
from starters.runs import Progress, Step
from workflows.stage_table import STAGES

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
    "tests_red": "yellow",
    "refused": "yellow",
    "malformed": "yellow",
    "no_patch": "yellow",
    "error": "red",
}
_STEPS = {
    "run_tests": "tests",
    "triage_failures": "triage",
    "propose_search_patch": "search",
    "check_model": "model",
    "write_model_prompt": "prompt",
    "ask_model": "model",
    "read_model_reply": "edits",
    "guard_patch": "guard",
    "verify_patch": "verify",
}
_SILENT = {
    "check_model": "is one configured",
    "write_model_prompt": "collecting what the model needs to see",
    "ask_model": "waiting for its answer",
    "read_model_reply": "reading the answer as edits",
    "guard_patch": "reading the patch before anything of it runs",
}
_LINE_SECONDS = 5.0
_LAST_ATTEMPTS = 3


def coloured(state: str) -> Text:
    """A state or an attempt's verdict in its colour."""
    return Text(state, style=_COLOURS.get(state, ""))


class PlainLines:
    """The lines of a log: what happened, at once; how a step gets on, now and then."""

    def __init__(self) -> None:
        self._said: set[str] = set()
        self._steps: dict[str, tuple[str, str, float]] = {}
        """By stage: the step, what was last said of it, and when."""

    def of(self, progress: Progress, now: float) -> list[str]:
        """What is new; `now` is in seconds by any clock."""
        happened = [line for line in _lines(progress) if line not in self._said]
        self._said.update(happened)
        return [*happened, *self._of_steps(progress, now)]

    def _of_steps(self, progress: Progress, now: float) -> Iterator[str]:
        for step in progress.steps:
            text = step_text(step)
            last_activity, last_text, last_time = self._steps.get(step.stage, ("", "", 0.0))
            due = step.activity != last_activity or now - last_time >= _LINE_SECONDS
            if step.stage and text and text != last_text and due:
                self._steps[step.stage] = (step.activity, text, now)
                yield f"{step.stage}: {text}, {step.seconds:.0f} s"


@contextmanager
def shown(console: Console, lines: PlainLines) -> Iterator[Callable[[Progress], None]]:
    """A function that shows a run's progress each time it is called.

    `lines` knows what was printed before, with another connection.
    """
    if console.is_terminal:
        with Live(console=console, refresh_per_second=4, transient=True) as live:
            yield lambda progress: live.update(_table(progress))
        return

    def show(progress: Progress) -> None:
        for line in lines.of(progress, time.monotonic()):
            console.print(line, markup=False, highlight=False, soft_wrap=True)

    yield show


def step_text(step: Step) -> str:
    """What a step of a test stage does, in one line; empty while it has not said so."""
    name = _STEPS.get(step.activity, step.activity)
    said = step.line or _SILENT.get(step.activity, "")
    if step.activity in ("run_tests", "triage_failures", "verify_patch"):
        # The subject says which tests; what they print is of no use to anyone here.
        said = step.subject
    return f"{name}: {said}" if said else ""


def stage_table(stages: tuple[StageReport, ...], progress: Progress | None = None) -> Table:
    """The stages as a table that fits 80 columns."""
    table = Table(box=None, pad_edge=False, expand=False)
    table.add_column("stage", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("seconds", justify="right", no_wrap=True)
    table.add_column("summary", overflow="fold", max_width=56)
    for stage in stages:
        state = stage.state or ("running" if stage.running else "")
        running = progress.seconds.get(stage.name, 0.0) if progress else 0.0
        seconds = stage.seconds if stage.state else running
        result = progress.attempts.get(stage.name) if progress else None
        summary = stage.summary or (result.summary if result else "")
        shown_seconds = f"{seconds:.1f}" if seconds else ""
        table.add_row(stage.name, coloured(state), shown_seconds, Text(summary))
    return table


def attempt_table(stages: tuple[StageReport, ...]) -> Table | None:
    """All attempts with their verdicts, as a table that fits 80 columns; None without any."""
    table = Table(box=None, pad_edge=False, expand=False)
    for column in ("stage", "attempt", "healer", "verdict", "seconds"):
        right = column in ("attempt", "seconds")
        table.add_column(column, justify="right" if right else "left", no_wrap=True)
    table.add_column("reason", overflow="fold", max_width=40)
    for stage in stages:
        for each in stage.attempts:
            cells = (stage.name, str(each.number), each.healer, coloured(each.verdict))
            table.add_row(*cells, f"{each.seconds:.1f}", Text(each.reason))
    return table if table.row_count else None


def stages_of(report: RunReport) -> tuple[StageReport, ...]:
    """The stages that the run is about: all, or those that a run which only heals includes."""
    heals = {stage.name for stage in STAGES if stage.heals}
    return tuple(
        stage for stage in report.stages if not report.request.heal_only or stage.name in heals
    )


def _table(progress: Progress) -> Group:
    parts: list[Table | Text] = [stage_table(stages_of(progress.report), progress)]
    for result in progress.attempts.values():
        for attempt in result.attempts[-_LAST_ATTEMPTS:]:
            parts.append(_cut(f"  {_attempt_text(attempt)}", "yellow"))
    for step in progress.steps:
        text = step_text(step) if step.stage else _subject_text(step)
        # One thing a line: a terminal is often narrow, and the end is the news.
        first, *rest = text.replace(", suspecting", "; suspecting").split("; ")
        if first:
            spent = f", {step.seconds:.0f} s" if step.seconds >= 1 else ""
            parts.append(_cut(f"  {first}{spent}", "cyan"))
            parts += [_cut(f"    {part}", "cyan") for part in rest]
    parts += [Text(wait, style="yellow") for wait in progress.waits]
    return Group(*parts)


def _subject_text(step: Step) -> str:
    return f"{step.subject}: {step.line}" if step.line else step.subject


def _cut(text: str, style: str) -> Text:
    return Text(text[:300], style=style, no_wrap=True, overflow="ellipsis")


def _attempt_text(attempt: Attempt) -> str:
    return f"attempt {attempt.number} ({attempt.healer}): {attempt.verdict}: {attempt.reason}"


def _lines(progress: Progress) -> Iterator[str]:
    for stage in stages_of(progress.report):
        if stage.state is not None:
            for attempt in stage.attempts:
                yield f"{stage.name}: {_attempt_text(attempt)}"
            seconds = f" in {stage.seconds:.1f} s" if stage.seconds else ""
            summary = f": {stage.summary}" if stage.summary else ""
            yield f"{stage.name}: {stage.state}{seconds}{summary}"
        elif stage.running:
            yield f"{stage.name}: running"
    for name, result in progress.attempts.items():
        for attempt in result.attempts:
            yield f"{name}: {_attempt_text(attempt)}"
        yield f"{name}: {result.summary}"
    for wait in progress.waits:
        yield f"release: {wait}"
