"""Looking at runs: list, status, the whole story."""

from datetime import UTC, datetime
from pathlib import Path

from rich.table import Table
from rich.text import Text
from temporalio.client import Client, WorkflowExecution
from temporalio.service import RPCError

from activities.local_forge import read_pull_request
from regreen.contracts.checklist import Checklist
from regreen.contracts.run import RunReport
from regreen.errors import EXIT_OK
from regreen.printable import printable
from regreen.settings import Settings
from starters import runs
from starters.console import output, print_json
from starters.gate_findings import print_gates, write_sarif
from starters.heal_diffs import print_attempts
from starters.plan_tables import print_checklist, print_plan
from starters.progress import coloured
from starters.run_command import print_result
from starters.run_document import run_document
from starters.run_filter import RunFilter, query_of
from starters.triage_evidence import print_triage
from workers.embedded import temporal
from workflows import search_attributes


async def list_runs(wanted: RunFilter, limit: int, *, json: bool, settings: Settings) -> int:
    """Print the newest runs that pass the filter, from Temporal's visibility store."""
    query = query_of(wanted, datetime.now(UTC))
    rows = []
    async with temporal(settings, ui=False) as connection:
        try:
            async for execution in connection.client.list_workflows(query, limit=limit):
                rows.append(_row(execution))
        except RPCError as error:
            raise runs.translated(error) from error
    if json:
        print_json(rows)
        return EXIT_OK
    if not rows:
        none = "no runs yet; `regreen run` starts one"
        output.print(none if wanted == RunFilter() else "no such runs", markup=False)
        return EXIT_OK
    table = Table(box=None, pad_edge=False)
    for column in ("repository", "ref", "commit", "state", "stage", "started"):
        # Names can be of any length; the other columns stay whole.
        table.add_column(column, no_wrap=column not in ("repository", "ref"), overflow="fold")
    for row in rows:
        started = row["started"][:16].replace("T", " ")
        # As they are: what stands in brackets in a name is no markup.
        cells = [Text(row["repository"]), Text(row["ref"]), Text(row["commit"][:12])]
        table.add_row(*cells, coloured(row["state"]), row["stage"], started)
    output.print(table)
    return EXIT_OK


async def status(name: str, *, json: bool, settings: Settings) -> int:
    """Print where a run is."""
    async with temporal(settings, ui=not json) as connection:
        report = await runs.report_of(
            connection.client, await runs.find_run(connection.client, name)
        )
        if json:
            print_json(run_document(report, settings, connection.ui))
        else:
            print_result(report, connection.ui)
            await _print_waits(connection.client, report)
    return EXIT_OK


async def show(name: str, *, json: bool, sarif: Path | None, settings: Settings) -> int:
    """Print a run with its gates, its attempts with their diffs, and the pull request's discussion.

    `sarif` names a file for the findings of all gates.
    """
    async with temporal(settings, ui=False) as connection:
        identifier = await runs.find_run(connection.client, name)
        report = await runs.report_of(connection.client, identifier)
        if sarif is not None:
            await write_sarif(report, sarif)
        if json:
            print_json(run_document(report, settings, None))
            return EXIT_OK
        print_result(report, None)
        await _print_waits(connection.client, report)
        if report.plan is not None:
            output.print()
            print_plan(report.plan)
            print_checklist(report.checklist or Checklist())
        print_gates(report)
        print_triage(report)
        await print_attempts(report)
        # One on GitHub is read there.
        if report.pull_request is not None and report.pull_request.url.startswith("file:"):
            record = read_pull_request(report.request.repository, report.pull_request.number)
            for text in record.comments.values():
                output.print(f"\n{printable(text)}", markup=False)
    return EXIT_OK


async def _print_waits(client: Client, report: RunReport) -> None:
    for wait in await runs.waits_of_release(client, report):
        output.print(wait, style="yellow", markup=False)


def _row(execution: WorkflowExecution) -> dict[str, str]:
    attributes = execution.typed_search_attributes

    def text(key: object) -> str:
        return str(attributes.get(key, ""))  # type: ignore[call-overload]

    return {
        "workflow_id": execution.id,
        "run_id": execution.run_id,
        "repository": text(search_attributes.REPOSITORY),
        "ref": text(search_attributes.REF),
        "commit": text(search_attributes.COMMIT),
        "state": text(search_attributes.STATE),
        "stage": text(search_attributes.STAGE),
        "started": execution.start_time.isoformat(),
    }
