"""All findings of a run's gates in one SARIF file, which the run keeps as an artifact."""

from temporalio import activity

from activities.artifact_store import get_bytes, put_bytes
from activities.heartbeat import heartbeating
from activities.sarif import SARIF, merged_sarif
from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.base import Contract

FINDINGS_FILE = "findings.sarif"
"""What the artifact is called."""


class StageFindings(Contract):
    """The SARIF logs of a run's stages."""

    logs: tuple[ArtifactRef, ...]


@activity.defn
async def merge_findings(found: StageFindings) -> ArtifactRef:
    """Keep all runs of the stages' logs as one SARIF 2.1.0 file, with a category for each tool."""
    return await heartbeating(_merged(found), FINDINGS_FILE)


async def _merged(found: StageFindings) -> ArtifactRef:
    merged = merged_sarif([await get_bytes(log) for log in found.logs])
    return await put_bytes(FINDINGS_FILE, merged, SARIF)
