"""`regreen run`: start or join the run of a commit and follow it until it is at rest."""

import asyncio
import getpass
import os
import sys
from pathlib import Path

from rich.prompt import Prompt

from regreen.contracts.checklist import Checklist
from regreen.contracts.run import PipelineRequest, Review, RunReport
from regreen.errors import EXIT_FAILED, EXIT_NOT_APPROVED, EXIT_OK
from regreen.event_selection import why_not_selected
from regreen.settings import Settings, load_settings
from starters import runs
from starters.annotations import annotations
from starters.announcements import tell_all
from starters.console import errors, note, output, print_json
from starters.continuous_integration import job_of
from starters.heal_diffs import print_attempts
from starters.log_file import log_to
from starters.outages import through_outages
from starters.plan_tables import print_checklist, print_plan
from starters.progress import PlainLines, coloured, shown, stage_table
from starters.repository import resolve
from starters.run_document import run_document, run_page
from starters.step_summary import step_outputs, write_outputs, write_step_summary
from workers.embedded import Connection
from workflows.run_start import workflow_id

EXIT_CODES = {
    "passed": EXIT_OK,
    "released": EXIT_OK,
    "waiting": EXIT_OK,
    "running": EXIT_OK,
    "failed": EXIT_FAILED,
    "rejected": EXIT_NOT_APPROVED,
    "expired": EXIT_NOT_APPROVED,
    "cancelled": EXIT_NOT_APPROVED,
}


def use_state(state: Path | None) -> Settings:
    """The settings, with the state folder that the command line names."""
    if state is not None:
        os.environ["REGREEN_STATE"] = str(state.resolve())
    settings = load_settings()
    log_to(settings.state)
    return settings


async def run(
    path: Path, ref: str, *, json: bool, detach: bool, reuse: bool, settings: Settings
) -> int:
    """Start or join a run; returns the exit code."""
    request, pipeline, dirty = await resolve(path, ref)
    request = request.model_copy(update={"reuse": reuse})
    job = job_of(os.environ)
    if job is not None:
        reason = why_not_selected(pipeline.on, job.event, job.ref, job.base)
        if reason:
            return _not_selected(reason, json)
        if request.ref == "HEAD" and job.ref:
            # A job checks out a commit and no branch.
            request = request.model_copy(update={"ref": job.ref})
        request = request.model_copy(update={"base": job.base})
    if dirty:
        note(f"uncommitted changes are not part of the run; it runs commit {request.commit[:12]}")
    return await follow_request(request, json=json, detach=detach, settings=settings)


async def follow_request(
    request: PipelineRequest,
    *,
    json: bool,
    detach: bool = False,
    again: bool = False,
    settings: Settings,
) -> int:
    """Start the request's run, unless there is one, and follow it."""
    identifier = workflow_id(request)
    known, anew = False, again
    lines = PlainLines()

    async def work(connection: Connection) -> int:
        nonlocal known, anew
        started = await runs.start(connection.client, request, again=anew)
        anew = False
        if not started and not known:
            option = "" if request.reuse else " --no-cache"
            note(f"joining the run of {request.commit[:12]}; `regreen retry{option}` runs it again")
        known = True
        if detach:
            return await _detached(connection, request, json)
        return await follow_run(connection, identifier, lines, json=json, settings=settings)

    return await through_outages(settings, work)


async def follow_run(
    connection: Connection, identifier: str, lines: PlainLines, *, json: bool, settings: Settings
) -> int:
    """Follow a run until it is at rest, ask for approval on a terminal, print the result.

    `lines` are those of the command: they go on when the connection is another.
    """
    asked = False
    while True:
        with shown(errors, lines) as show:
            report = await runs.follow(connection.client, identifier, show, through_waiting=asked)
        if report.state != "waiting" or json or not sys.stdin.isatty():
            break
        if not await _ask(connection, report):
            break
        asked = True
    if json:
        print_json(run_document(report, settings, connection.ui))
    else:
        print_result(report, connection.ui)
    _tell_job(report, connection.ui)
    if connection.hosting:
        await tell_all(connection.client, report.workflow_id)
    return EXIT_CODES[report.state]


def print_result(report: RunReport, ui: str | None) -> None:
    """The run for a person, on standard output."""
    output.print(stage_table(report.stages))
    output.print()
    for stage in report.stages:
        if stage.quarantined:
            _line(f"quarantined as flaky in {stage.name}: {', '.join(stage.quarantined)}")
    reason = f": {report.reason}" if report.reason else ""
    output.print(coloured(report.state), end="")
    output.print(reason, markup=False, highlight=False, soft_wrap=True)
    if report.sandbox.startswith("none"):
        output.print(f"NOT ISOLATED: sandbox {report.sandbox}", style="bold red", markup=False)
    if report.pull_request is not None:
        _line(f"pull request #{report.pull_request.number}: {report.pull_request.url}")
        _line(f"  branch {report.pull_request.branch}")
    if report.plan is not None and report.state == "waiting":
        print_plan(report.plan, briefly=True)
        print_checklist(report.checklist or Checklist(), briefly=True)
    if report.state == "waiting":
        _line(f"decide: regreen approve {report.workflow_id}")
        _line(f"        regreen reject {report.workflow_id}")
    if report.release is not None:
        _line(f"release {report.release.version}: {report.release.directory}")
    if report.audit.problem:
        output.print(report.audit.problem, style="bold red", markup=False)
    page = run_page(report, ui)
    if page is not None:
        _line(f"web UI while the server runs: {page}")


def _tell_job(report: RunReport, ui: str | None) -> None:
    job = job_of(os.environ)
    if job is None:
        return
    page = run_page(report, ui)
    try:
        if job.summary is not None:
            write_step_summary(job.summary, report, page)
        if job.outputs is not None:
            write_outputs(job.outputs, step_outputs(report, page))
    except OSError as error:
        note(f"{job.service} cannot be told: {error}")
    if job.annotates:
        # Of what is on standard error the service reads commands, too, and output stays as it is.
        for line in annotations(report):
            errors.print(line, markup=False, highlight=False, soft_wrap=True)


def _not_selected(reason: str, json: bool) -> int:
    if json:
        print_json({"workflow_id": None, "state": "skipped", "reason": reason})
    else:
        _line(f"skipped: {reason}")
    return EXIT_OK


def _line(text: str) -> None:
    output.print(text, markup=False, highlight=False, soft_wrap=True)


async def _detached(connection: Connection, request: PipelineRequest, json: bool) -> int:
    report = await runs.known_of(connection.client, request)
    # The pages of a server that ends with this process are of no use.
    ui = None if connection.hosting else connection.ui
    page = run_page(report, ui)
    if connection.hosting:
        note("this process hosted the server; the run goes on with the next `regreen up` or `run`")
    _tell_job(report, ui)
    if json:
        print_json({"workflow_id": report.workflow_id, "state": report.state, "ui": page})
    else:
        _line(report.workflow_id)
        if page is not None:
            note(f"web UI: {page}")
    return EXIT_OK


async def _ask(connection: Connection, report: RunReport) -> bool:
    print_result(report, connection.ui)
    await print_attempts(report, only_healed=True)
    answer = await asyncio.to_thread(
        Prompt.ask, "decision", choices=["approve", "reject", "later"], default="later"
    )
    if answer == "later":
        return False
    given = Review(
        reviewer=getpass.getuser(),
        decision="approve" if answer == "approve" else "reject",
        source="command-line",
        tree=report.tree,
    )
    sent = await runs.review(connection.client, report.workflow_id, given)
    await runs.weighed(connection.client, report.workflow_id, sent)
    return True
