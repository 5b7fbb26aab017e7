"""What a person sees while a run goes on: a live table, or lines that read well in a log."""

import dataclasses
import io

import pytest
from rich.console import Console

from activities.healing.search.progress_line import progress_line
from activities.healing.search.request import SearchProgress
from regreen.contracts.healing import Attempt
from regreen.contracts.run import PipelineRequest, RunReport, StageReport
from regreen.contracts.test_stage import TestStageResult
from starters.progress import PlainLines, attempt_table, shown, step_text
from starters.runs import Progress, Step
from workflows.stage_table import STAGES

REFUSED = Attempt(
    number=1, healer="openai", verdict="refused", reason="test-file at test_a.py", seconds=3.2
)


def _progress(*steps: Step, attempts: tuple[Attempt, ...] = (), heal_only: bool = True) -> Progress:
    """A run whose unit stage is at work."""
    stages = [StageReport(name=stage.name) for stage in STAGES]
    stages[0] = StageReport(name="build", state="passed", seconds=1.2, summary="3 files compiled")
    stages[1] = StageReport(name="unit", running=True)
    if heal_only:
        stages[4] = StageReport(name="load", state="skipped", summary="only healing")
    request = PipelineRequest(
        repository="a/b", location="/b", ref="main", commit="c", heal_only=heal_only
    )
    report = RunReport(
        workflow_id="heal/a/b/c", run_id="1", state="running", request=request, stages=tuple(stages)
    )
    result = TestStageResult(summary="heal attempt 2 of 8 (search)", attempts=attempts)
    return Progress(report, {"unit": result}, steps, {"unit": 12.3})


def _search(line: str, seconds: float = 4) -> Step:
    return Step("propose_search_patch", "unit", "search unit", line, seconds)


def test_a_log_tells_what_happened_once() -> None:
    lines = PlainLines()
    first = lines.of(_progress(attempts=(REFUSED,)), 0)

    assert first == [
        "build: passed in 1.2 s: 3 files compiled",
        "unit: running",
        "unit: attempt 1 (openai): refused: test-file at test_a.py",
        "unit: heal attempt 2 of 8 (search)",
    ]
    assert lines.of(_progress(attempts=(REFUSED,)), 60) == []


def test_what_a_release_waits_for_is_told_once() -> None:
    wait = "the release waits for its signing key hashivault://release: renew the token"
    progress = dataclasses.replace(_progress(), waits=(wait,))
    lines = PlainLines()

    assert lines.of(progress, 0)[-1] == f"release: {wait}"
    assert lines.of(progress, 60) == []
    console = Console(file=io.StringIO(), force_terminal=True, width=80)
    with shown(console, PlainLines()) as show:
        show(progress)
    assert isinstance(console.file, io.StringIO)
    assert "the release waits for its signing key" in console.file.getvalue()


def test_a_log_tells_how_a_search_gets_on_every_few_seconds() -> None:
    lines = PlainLines()
    lines.of(_progress(), 0)
    told = [
        lines.of(_progress(_search(f"{tried} of 90 candidates tried", now)), now)
        for now, tried in ((10.0, 1), (11.0, 2), (14.9, 3), (15.1, 4), (16.0, 5), (30.0, 5))
    ]

    assert told == [
        ["unit: search: 1 of 90 candidates tried, 10 s"],
        [],
        [],
        ["unit: search: 4 of 90 candidates tried, 15 s"],
        [],
        ["unit: search: 5 of 90 candidates tried, 30 s"],
    ]


def test_a_log_does_not_repeat_what_has_not_changed() -> None:
    lines = PlainLines()
    lines.of(_progress(_search("1 of 90 candidates tried")), 0)

    assert lines.of(_progress(_search("1 of 90 candidates tried", 60)), 60) == []


def test_a_log_names_the_next_step_at_once() -> None:
    lines = PlainLines()
    lines.of(_progress(_search("1 of 90 candidates tried")), 0)
    guard = Step("guard_patch", "unit")
    verify = Step("verify_patch", "unit", "pytest unit: whole suite", "....", 2)

    assert lines.of(_progress(guard), 0.5) == [
        "unit: guard: reading the patch before anything of it runs, 0 s"
    ]
    assert lines.of(_progress(verify), 1) == ["unit: verify: pytest unit: whole suite, 2 s"]


def test_a_log_of_a_heal_is_about_its_own_stages() -> None:
    healing = PlainLines().of(_progress(), 0)
    whole = PlainLines().of(_progress(heal_only=False), 0)

    assert not any(line.startswith("load") for line in healing)
    assert healing == whole


def test_what_was_told_with_another_connection_is_not_told_again() -> None:
    file, lines = io.StringIO(), PlainLines()
    console = Console(file=file, width=80)

    for _ in range(2):
        with shown(console, lines) as show:
            show(_progress())

    assert file.getvalue().splitlines().count("build: passed in 1.2 s: 3 files compiled") == 1


def test_a_stage_that_ended_with_nothing_to_say_leaves_no_colon() -> None:
    progress = _progress()
    build = StageReport(name="build", state="cancelled")
    report = progress.report.model_copy(update={"stages": (build,)})

    assert PlainLines().of(Progress(report, {}), 0) == ["build: cancelled"]


@pytest.mark.parametrize(
    ("step", "text"),
    [
        (Step("run_tests", "unit", "node unit", "ok 3"), "tests: node unit"),
        (
            Step("triage_failures", "unit", "pytest unit: 3 failing, again, 1 of 2", "x"),
            "triage: pytest unit: 3 failing, again, 1 of 2",
        ),
        (Step("ask_model", "unit"), "model: waiting for its answer"),
        (Step("ask_model", "unit", "openai", "429, asking again"), "model: 429, asking again"),
        (Step("verify_patch", "unit"), ""),
        (Step("propose_search_patch", "unit"), ""),
    ],
)
def test_the_text_of_a_step(step: Step, text: str) -> None:
    assert step_text(step) == text


@pytest.mark.parametrize(
    ("progress", "line"),
    [
        (SearchProgress(), "measuring which lines the failing tests run"),
        (SearchProgress(total=1200), "0 of 1,200 candidates tried"),
        (
            SearchProgress(ran=1100, total=1200, suspected="shop/a.py:3", seconds=5.5),
            "1,100 of 1,200 candidates tried, 200 a second, suspecting shop/a.py:3",
        ),
        (
            SearchProgress(
                ran=9, total=9, best="replaced `a` with `b`", suspected="a.py:3", seconds=3
            ),
            "9 of 9 candidates tried, 3 a second, suspecting a.py:3; best: replaced `a` with `b`",
        ),
    ],
)
def test_how_far_a_search_is(progress: SearchProgress, line: str) -> None:
    assert progress_line(progress) == line


def test_a_terminal_shows_attempts_steps_and_seconds() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=80)
    line = "412 of 1,930 candidates tried, 210 a second, suspecting shop/a.py:3; best: replaced `a`"
    with shown(console, PlainLines()) as show:
        show(_progress(_search(line), attempts=(REFUSED,)))
    assert isinstance(console.file, io.StringIO)
    seen = console.file.getvalue()

    for text in (
        "12.3",
        "heal attempt 2 of 8 (search)",
        "attempt 1 (openai): refused: test-file at test_a.py",
        "search: 412 of 1,930 candidates tried, 210 a second, 4 s",
        "suspecting shop/a.py:3",
        "best: replaced `a`",
    ):
        assert text in seen, text
    assert "load" not in seen


def test_the_table_of_verdicts() -> None:
    console = Console(file=io.StringIO(), width=80)
    table = attempt_table((StageReport(name="unit", attempts=(REFUSED,)), StageReport(name="e2e")))
    assert table is not None
    console.print(table)
    assert isinstance(console.file, io.StringIO)

    row = console.file.getvalue().splitlines()[1].split()
    assert row == ["unit", "1", "openai", "refused", "3.2", "test-file", "at", "test_a.py"]
    assert attempt_table((StageReport(name="unit"),)) is None
