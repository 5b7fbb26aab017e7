"""Runs that nobody serves, so that they stay as they are, with the attributes that a test wants."""

import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from temporalio.client import Client, WorkflowHandle
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes


async def unserved_run(
    client: Client, repository: str, attributes: Mapping[SearchAttributeKey[Any], Any]
) -> WorkflowHandle[Any, Any]:
    """Start a run of a repository. It ends when it is terminated, and keeps its attributes."""
    return await client.start_workflow(
        "PipelineWorkflow",
        id=f"pipeline/{repository}/{uuid.uuid4().hex}",
        task_queue="nobody",
        execution_timeout=timedelta(minutes=5),
        search_attributes=TypedSearchAttributes(
            [SearchAttributePair(key, value) for key, value in attributes.items()]
        ),
    )
