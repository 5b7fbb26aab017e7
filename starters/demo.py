"""`make demo`: the example shop through the whole line, in folders of its own."""

import asyncio
import shutil
import sys
import time
from pathlib import Path

from activities.release_verification import verify_release
from regreen.contracts.run import Review, RunReport
from regreen.errors import EXIT_FAILED, UsageError
from starters import runs
from starters.console import errors, note, output
from starters.heal_diffs import print_attempts
from starters.progress import PlainLines, shown
from starters.repository import resolve
from starters.run_command import EXIT_CODES, print_result, use_state
from starters.run_document import run_page
from workers.embedded import Connection, temporal
from workflows.run_start import workflow_id

_EXAMPLE = Path(__file__).parent.parent / "examples" / "storefront"
_KEPT = 3


async def demo(state: Path | None) -> int:
    """Run the line on a fresh copy of the example; returns the exit code."""
    if not _EXAMPLE.is_dir():
        raise UsageError("the demo needs a checkout of Regreen; `regreen run PATH` works anywhere")
    folder = _fresh_folder()
    repository = folder / "storefront"
    made = await asyncio.create_subprocess_exec(
        *(sys.executable, str(_EXAMPLE / "make_history.py"), str(repository)),
        stdout=asyncio.subprocess.DEVNULL,
    )
    if await made.wait() != 0:
        raise UsageError("the example's repository could not be made; see above")
    settings = use_state(state or folder.parent / "state")
    _say(f"A small shop with a bug, as a git repository: {repository}")
    request, _, _ = await resolve(repository, "HEAD")
    async with temporal(settings) as connection:
        _say(f"Temporal's web UI while this runs: {connection.ui}")
        await runs.start(connection.client, request)
        run = workflow_id(request)
        with shown(errors, PlainLines()) as show:
            report = await runs.follow(connection.client, run, show)
        await print_attempts(report, only_healed=True)
        if report.pull_request is not None:
            _say(f"Pull request #{report.pull_request.number}: {report.pull_request.url}")
        if report.state == "waiting":
            report = await _approve(connection, report)
        print_result(report, connection.ui)
        if report.release is None:
            errors.print(f"error: the demo ended as {report.state}", style="red")
            return EXIT_CODES[report.state] or EXIT_FAILED
        directory = Path(report.release.directory)
        verified = verify_release(directory)
        _say(f"Verified offline: {len(verified.rows)} files, {_verdict(verified.ok)}")
        await _stay(connection, report)
    output.print(f"Release folder: {directory}", markup=False, highlight=False, soft_wrap=True)
    return EXIT_CODES[report.state] if verified.ok else EXIT_FAILED


def _fresh_folder() -> Path:
    base = Path.cwd() / ".demo"
    earlier = sorted(base.glob("[0-9]*"))
    for old in earlier[: max(0, len(earlier) - _KEPT + 1)]:
        shutil.rmtree(old, ignore_errors=True)
    folder = base / time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    folder.mkdir(parents=True)
    return folder


async def _approve(connection: Connection, report: RunReport) -> RunReport:
    if sys.stdin.isatty():
        output.print("Approve this release? [y/N] ", end="")
        decision = "approve" if sys.stdin.readline().strip().lower() in ("y", "yes") else "reject"
        reviewer, source = "you", "command-line"
    else:
        decision, reviewer, source = "approve", "demo", "demo"
        note("no terminal: approving through the signal `review`, as a webhook would send it")
    sent = await runs.review(
        connection.client,
        report.workflow_id,
        Review(
            reviewer=reviewer,
            decision="approve" if decision == "approve" else "reject",
            comment="demo",
            source=source,
            tree=report.tree,
        ),
    )
    await runs.weighed(connection.client, report.workflow_id, sent)
    with shown(errors, PlainLines()) as show:
        return await runs.follow(connection.client, report.workflow_id, show)


async def _stay(connection: Connection, report: RunReport) -> None:
    if sys.stdin.isatty() and connection.hosting:
        output.print(f"Look at the run: {run_page(report, connection.ui)}", soft_wrap=True)
        output.print("Enter ends the demo and its server. ", end="")
        sys.stdin.readline()


def _verdict(ok: bool) -> str:
    return "all good" if ok else "NOT VERIFIED"


def _say(text: str) -> None:
    output.print(f"\n{text}", style="bold", markup=False, highlight=False, soft_wrap=True)
