"""Handing what a forge tells to the workflow of its repository, which is started if need be."""

import uuid
from datetime import timedelta

from temporalio import activity
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import WorkflowIdConflictPolicy, WorkflowIdReusePolicy
from temporalio.api.sdk.v1 import UserMetadata
from temporalio.api.workflowservice.v1 import SignalWithStartWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from temporalio.converter import WorkflowSerializationContext, encode_search_attributes

from regreen.contracts.forge_event import ForgeEvent, Provider
from regreen.contracts.reconciliation import MissedEvents, Reconciled
from regreen.contracts.repository import RepositoryState
from regreen.roles import task_queue

_WORKFLOW = "RepositoryWorkflow"
_SIGNAL = "deliver"
_REPOSITORY = SearchAttributeKey.for_keyword("RegreenRepository")
_NAMESPACE = uuid.UUID("6f2a1f0e-3a52-5f0b-9d3e-1c9c1f2b7a55")


def repository_workflow_id(provider: Provider, repository: str) -> str:
    """`repository/<provider>/<owner>/<name>`."""
    return f"repository/{provider}/{repository}"


async def deliver_event(client: Client, event: ForgeEvent, timeout: float) -> None:
    """Return when Temporal has taken the event durably; the same event is taken once.

    The request's id comes from the event's identity, and the server signals once for an id,
    which the client's own signal-with-start does not let one set. `timeout` is in seconds.
    Raises RPCError.
    """
    workflow_id = repository_workflow_id(event.provider, event.repository)
    converter = client.data_converter.with_context(
        WorkflowSerializationContext(namespace=client.namespace, workflow_id=workflow_id)
    )
    request = SignalWithStartWorkflowExecutionRequest(
        namespace=client.namespace,
        workflow_id=workflow_id,
        identity=client.identity,
        request_id=str(uuid.uuid5(_NAMESPACE, f"{workflow_id} {event.identity}")),
        signal_name=_SIGNAL,
        workflow_id_reuse_policy=WorkflowIdReusePolicy.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
        workflow_id_conflict_policy=(
            WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING
        ),
        user_metadata=UserMetadata(
            summary=await _one(converter, f"{event.provider} {event.repository}")
        ),
    )
    request.workflow_type.name = _WORKFLOW
    request.task_queue.name = task_queue("orchestrator")
    state = RepositoryState(provider=event.provider, repository=event.repository)
    request.input.payloads.append(await _one(converter, state))
    request.signal_input.payloads.append(await _one(converter, event))
    encode_search_attributes(
        TypedSearchAttributes([SearchAttributePair(_REPOSITORY, event.repository)]),
        request.search_attributes,
    )
    await client.workflow_service.signal_with_start_workflow_execution(
        request, retry=True, timeout=timedelta(seconds=timeout)
    )


@activity.defn
async def deliver_events(missed: MissedEvents) -> Reconciled:
    """Hand over events one after another, oldest first; those that were taken before are not new.

    Raises RPCError.
    """
    for event in missed.events:
        activity.heartbeat({"subject": f"deliver {event.identity}"})
        await deliver_event(activity.client(), event, timeout=5.0)
    return Reconciled(delivered=len(missed.events))


async def _one(converter: object, value: object) -> Payload:
    encoded: list[Payload] = await converter.encode([value])  # type: ignore[attr-defined]
    return encoded[0]
