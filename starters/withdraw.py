"""`regreen release withdraw`: take back a release, published or not yet."""

import getpass
from datetime import UTC, datetime

from temporalio.client import Client, WorkflowFailureError, WorkflowQueryFailedError
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from regreen.contracts.publishing import PublishedParts, Withdrawal, WithdrawRequest
from regreen.errors import EXIT_FAILED, EXIT_OK, UnreachableError
from regreen.roles import task_queue
from regreen.settings import Settings
from starters import runs
from starters.console import note, output, print_json
from starters.outages import through_outages
from workers.embedded import Connection
from workflows.failures import one_line
from workflows.release import ReleaseWorkflow
from workflows.withdrawal import WithdrawalWorkflow


async def withdraw(name: str, reason: str, *, json: bool, settings: Settings) -> int:
    """Cancel a run that has not ended, then take back what it has published."""

    async def work(connection: Connection) -> int:
        client = connection.client
        identifier = await runs.find_run(client, name)
        report = await runs.report_of(client, identifier)
        if report.state in ("running", "waiting"):
            note(f"{identifier} is {report.state}; cancelling it")
            await runs.cancel(client, identifier)
            await runs.follow(client, identifier, lambda _: None, through_waiting=True)
        published = await _published(client, identifier)
        if published is None:
            return _tell(None, json)
        release, parts = published
        try:
            # A commit that is run again can be released again, and each release is withdrawn once.
            withdrawal = f"{identifier}/withdrawal/{release}"
            return _tell(await _withdrawn(client, withdrawal, parts, reason), json)
        except WorkflowFailureError as error:
            note(f"not withdrawn: {one_line(error.cause)}")
            return EXIT_FAILED

    return await through_outages(settings, work)


async def _published(client: Client, run: str) -> tuple[str, PublishedParts] | None:
    """The run id of the release, and what it has published; None when that is nothing."""
    handle = client.get_workflow_handle_for(ReleaseWorkflow.run, f"{run}/release")
    try:
        parts = await handle.query(ReleaseWorkflow.published)
        return None if parts is None else ((await handle.describe()).run_id, parts)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise
    except WorkflowQueryFailedError as error:
        # Nothing may be said of what users can see when it is not known.
        raise UnreachableError(f"no worker could tell what {run} has published: {error}") from error


async def _withdrawn(
    client: Client, identifier: str, parts: PublishedParts, reason: str
) -> Withdrawal:
    try:
        handle = await client.start_workflow(
            WithdrawalWorkflow.run,
            WithdrawRequest(
                parts=parts,
                reason=reason,
                by=getpass.getuser(),
                at=datetime.now(UTC).isoformat(timespec="seconds"),
            ),
            id=identifier,
            task_queue=task_queue("orchestrator"),
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
            id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
            static_summary=f"withdraw {parts.tag.name}: {reason}"[:200],
        )
    except WorkflowAlreadyStartedError:
        handle = client.get_workflow_handle_for(WithdrawalWorkflow.run, identifier)
    return await handle.result()


def _tell(withdrawal: Withdrawal | None, json: bool) -> int:
    if json:
        print_json(None if withdrawal is None else withdrawal.model_dump(mode="json"))
    elif withdrawal is None:
        _line("nothing was published; what had begun is taken back")
    else:
        _line(f"withdrawn {withdrawal.tag}: {withdrawal.directory}")
        for taken in withdrawal.taken:
            what = taken.left[0] if len(taken.left) == 1 else f"{len(taken.left)} files"
            left = f"; still there: {what}" if taken.left else ""
            _line(f"  {taken.target}: {taken.done}{left}")
    return EXIT_OK


def _line(text: str) -> None:
    output.print(text, markup=False, highlight=False, soft_wrap=True)
