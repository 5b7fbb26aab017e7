"""`regreen heal`: bring the tests of a commit to green, and show or apply what that takes."""

from pathlib import Path
from typing import Any

from temporalio.exceptions import ApplicationError

from activities.artifact_store import get_bytes
from activities.git import git
from regreen.contracts.healing import Attempt
from regreen.contracts.run import PipelineRequest, RunReport
from regreen.errors import UsageError
from regreen.settings import Settings
from starters import runs
from starters.announcements import tell_all
from starters.console import errors, note, print_json
from starters.heal_diffs import print_diff
from starters.outages import through_outages
from starters.progress import PlainLines, attempt_table, coloured, shown, stage_table, stages_of
from starters.repository import resolve
from starters.run_command import EXIT_CODES
from starters.run_document import run_document
from workers.embedded import Connection
from workflows.run_start import workflow_id


async def heal(path: Path, ref: str, *, apply: bool, json: bool, settings: Settings) -> int:
    """Run build, tests and heal loop only; print or apply the diff. Returns the exit code.

    Raises UsageError when the diff is to be applied and cannot be; then nothing is changed.
    """
    request, _, dirty = await resolve(path, ref)
    if apply and dirty:
        raise UsageError("the working tree has uncommitted changes; commit or stash them first")
    request = request.model_copy(update={"heal_only": True})
    report, ui = await _follow(request, settings)
    healed = [
        (stage.name, attempt, await get_bytes(attempt.patch))
        for stage in report.stages
        for attempt in stage.attempts
        if attempt.verdict == "healed" and attempt.patch is not None
    ]
    # Each diff applies on top of those before it.
    diff = b"".join(each for _, _, each in healed)
    if diff and apply:
        await _apply(Path(request.location), diff, request)
        note("applied to the working tree; run the tests and commit")
    if json:
        heals = [_heal_document(*each) for each in healed]
        print_json(run_document(report, settings, ui) | {"heals": heals})
    else:
        _print_verdicts(report)
        print_diff(diff)
        words = f" {path}" if path != Path() else ""
        words += f" --ref {ref}" if ref != "HEAD" else ""
        _print_way_on(report, words, healed=bool(diff), applied=apply)
    return EXIT_CODES[report.state]


async def _follow(request: PipelineRequest, settings: Settings) -> tuple[RunReport, str | None]:
    run, commit = workflow_id(request), request.commit[:12]
    known = False
    lines = PlainLines()

    async def work(connection: Connection) -> tuple[RunReport, str | None]:
        nonlocal known
        started = await runs.start(connection.client, request)
        if not started and not known:
            note(f"joining the heal of {commit}; `regreen retry {run}` heals it again")
        known = True
        with shown(errors, lines) as show:
            report = await runs.follow(connection.client, run, show)
        if connection.hosting:
            await tell_all(connection.client, run)
        return report, connection.ui

    return await through_outages(settings, work)


def _heal_document(stage: str, attempt: Attempt, diff: bytes) -> dict[str, Any]:
    return {
        "stage": stage,
        "attempt": attempt.number,
        "healer": attempt.healer,
        "explanation": attempt.explanation,
        "diff": diff.decode("utf-8", "replace"),
    }


async def _apply(root: Path, diff: bytes, request: PipelineRequest) -> None:
    try:
        await git(["apply", "--whitespace=nowarn", "-"], cwd=root, data=diff)
    except ApplicationError as error:
        raise UsageError(
            f"the diff for commit {request.commit[:12]} does not apply to the working tree"
            f" ({error.message.removeprefix('git apply: ')}); nothing was changed,"
            f" check out that commit first"
        ) from error


def _print_verdicts(report: RunReport) -> None:
    told = errors.is_terminal
    if told:
        # Elsewhere the lines of the log have said all of it.
        errors.print(stage_table(stages_of(report)))
        attempts = attempt_table(report.stages)
        if attempts is not None:
            errors.print()
            errors.print(attempts)
        errors.print()
    errors.print(coloured(report.state), end="")
    known = told and any(stage.summary in report.reason for stage in report.stages if stage.summary)
    reason = f": {report.reason}" if report.reason and not known else ""
    errors.print(reason, markup=False, highlight=False, soft_wrap=True)


def _print_way_on(report: RunReport, words: str, *, healed: bool, applied: bool) -> None:
    if healed and not applied:
        note(f"put it into the working tree: regreen heal{words} --apply")
        note(f"or have it reviewed, in a pull request: regreen run{words}")
    elif not healed and report.state == "passed":
        note("the tests are green; there is nothing to heal")
    if report.state == "failed":
        note(f"attempts with their diffs: regreen show {report.workflow_id}")
        note(f"once more: regreen retry {report.workflow_id}")
