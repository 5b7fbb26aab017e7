"""Activities whose worker died: handing them to another worker without waiting for a time-out.

A worker that is killed cannot say so, and Temporal notices only when its heartbeat runs out. Here
the death is known, so the activity is failed in its name and Temporal retries it at once.
"""

import socket

from temporalio.api.enums.v1 import PendingActivityState
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from activities.process_life import is_alive
from workers.payload_codec import UnreadablePayload

# Runs that wait for a person have no activity under way, and there can be very many of them.
_BUSY = (
    'ExecutionStatus = "Running"'
    ' AND (WorkflowType != "PipelineWorkflow" OR RegreenState = "running")'
)


def worker_identity(role: str, process: int) -> str:
    """The name under which a process of this machine polls for a role."""
    return f"{role}@{socket.gethostname()}:{process}"


async def retry_orphans(client: Client) -> list[str]:
    """Fail the started activities of this machine's dead processes; returns their types.

    An activity that ended meanwhile is left alone.
    """
    failed = []
    async for execution in client.list_workflows(_BUSY):
        handle = client.get_workflow_handle(execution.id, run_id=execution.run_id)
        for pending in (await handle.describe()).raw_description.pending_activities:
            started = pending.state == PendingActivityState.PENDING_ACTIVITY_STATE_STARTED
            if not started or not _is_dead(pending.last_worker_identity):
                continue
            activity = client.get_async_activity_handle(
                workflow_id=execution.id,
                run_id=execution.run_id,
                activity_id=pending.activity_id,
            )
            try:
                said = await client.data_converter.decode(pending.heartbeat_details.payloads)
                error = ApplicationError("its worker died", type="WorkerDied")
                # What it last said comes with it, so that the next attempt goes on from there.
                await activity.fail(error, last_heartbeat_details=said)
            except (RPCError, UnreadablePayload):
                # What cannot be decrypted is left to its heartbeat's time-out.
                continue
            failed.append(pending.activity_type.name)
    return failed


def _is_dead(identity: str) -> bool:
    role, _, process = identity.rpartition(":")
    if not process.isdigit() or not role.endswith(f"@{socket.gethostname()}"):
        return False
    return not is_alive(int(process))
