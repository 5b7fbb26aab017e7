"""What is left to tell of a run when the process that hosts the server is about to end."""

import asyncio

from temporalio.client import Client, WorkflowQueryFailedError
from temporalio.service import RPCError

from starters.console import note
from workflows.announcements import AnnouncementWorkflow

_SECONDS = 5.0
_POLL_SECONDS = 0.1


async def tell_all(client: Client, run: str) -> None:
    """Wait, for five seconds at most, until every place was told what there is to tell of a run.

    A run that nobody is told of is not waited for. What is left is noted for the person.
    """
    handle = client.get_workflow_handle_for(AnnouncementWorkflow.run, f"{run}/announcements")
    try:
        async with asyncio.timeout(_SECONDS):
            while True:
                if not await handle.query(AnnouncementWorkflow.untold):
                    return
                await asyncio.sleep(_POLL_SECONDS)
    except TimeoutError:
        note("a place could not be told yet; it is told with the next `regreen up` or `run`")
    except (RPCError, WorkflowQueryFailedError):
        return
