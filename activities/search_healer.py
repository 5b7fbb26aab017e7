"""The search healer's activity: a patch found by trying, without a key or a network."""

import dataclasses
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from temporalio import activity

from activities.artifact_store import get_bytes, put_bytes
from activities.environment import ensure_environment
from activities.healing.search.engine import applied, search
from activities.healing.search.measurement import Measurement
from activities.healing.search.request import SearchProgress, SearchRequest
from activities.heartbeat import heartbeating
from activities.test_stage import section_of
from activities.workspace import checked_out, patch_of
from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.healing import Edit, Proposal
from regreen.contracts.run import StageRequest
from regreen.contracts.testing import TestReport

_MEASUREMENT = TypeAdapter(Measurement)
_PROGRESS = TypeAdapter(SearchProgress)


class SearchProposalRequest(StageRequest):
    """A red stage for which a patch is wanted."""

    report: TestReport
    failing: tuple[str, ...]
    quarantined: tuple[str, ...] = ()
    refused: tuple[ArtifactRef, ...] = ()
    """Patches of earlier attempts; none of them is proposed again."""
    name: str
    """The patch's file name."""


@activity.defn
async def propose_search_patch(request: SearchProposalRequest) -> Proposal:
    """Search for a patch within the pipeline's `heal.search_seconds`.

    Progress goes out as heartbeats; a retry after a crash walks on from the last one.
    """
    section = section_of(request)

    resumed, measurement = _interrupted()
    measured = (
        None if measurement is None else _MEASUREMENT.validate_json(await get_bytes(measurement))
    )
    details: dict[str, Any] = {
        "line": "measuring the stage",
        "progress": dataclasses.asdict(resumed),
    }
    if measurement is not None:
        details["measurement"] = measurement.model_dump()

    async def keep(found: Measurement) -> None:
        data = _MEASUREMENT.dump_json(found)
        kept = await put_bytes(f"{request.name}.measurement.json", data, "application/json")
        details["measurement"] = kept.model_dump()

    def report(progress: SearchProgress) -> None:
        line = f"{progress.ran} of {progress.total} candidates tried"
        if progress.suspected:
            line += f", suspecting {progress.suspected}"
        if progress.best:
            line += f"; best: {progress.best}"
        details.update(line=line, progress=dataclasses.asdict(progress))

    async with checked_out(request.workspace) as copy:
        environment = await ensure_environment(request.workspace, request.pipeline, copy)
        wanted = SearchRequest(
            workspace=copy,
            environment=environment,
            failing=request.failing,
            failures=request.report.failures,
            flaky=request.quarantined,
            paths=section.paths,
            arguments=section.arguments,
            seconds=request.pipeline.heal.search_seconds,
            seed=request.pipeline.heal.seed,
            excluded=frozenset(ref.sha256 for ref in request.refused),
            resume=resumed,
            measured=measured,
            report=report,
            keep=keep,
        )
        result = await heartbeating(search(wanted), f"search {request.stage}", details)
        patch = None
        if result.edits:
            _write(copy, result.edits)
            patch = await put_bytes(request.name, await patch_of(copy), "text/x-diff")
    return Proposal(patch=patch, explanation=result.explanation, candidates=result.candidates)


def _interrupted() -> tuple[SearchProgress, ArtifactRef | None]:
    """How far an earlier execution of this attempt came, and what it had measured."""
    for detail in activity.info().heartbeat_details:
        if isinstance(detail, dict) and isinstance(detail.get("measurement"), dict):
            measurement = ArtifactRef.model_validate(detail["measurement"])
            return _PROGRESS.validate_python(detail.get("progress", {})), measurement
    return SearchProgress(), None


def _write(copy: Path, edits: tuple[Edit, ...]) -> None:
    for name in {edit.path for edit in edits}:
        path = copy / name
        path.write_bytes(applied(path.read_bytes(), [e for e in edits if e.path == name]))
