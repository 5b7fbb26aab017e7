"""`regreen run --plan`: what a run of a commit would release, and what it would ask for."""

import hashlib
import os
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text
from temporalio.exceptions import ApplicationError

from activities.git import git
from activities.release_plan import PlanSubject, planned
from activities.temporary_folder import temporary_folder
from regreen.checklist import NEEDS, Found, checklist_of
from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.checklist import Checklist, ItemName
from regreen.contracts.release_plan import ReleasePlan
from regreen.contracts.run import PipelineRequest
from regreen.contracts.source import Source
from regreen.errors import EXIT_OK, UsageError
from regreen.pipeline_file import Pipeline
from starters.console import note, output, print_json
from starters.continuous_integration import job_of
from starters.gates_in_force import GateInForce, gates_in_force
from starters.plan_tables import print_checklist, print_plan
from starters.repository import resolve

_APPROVAL = {
    "always": "always: a person is asked before the release",
    "healed": "only when something was healed",
    "never": "never",
}


async def plan(path: Path, ref: str, *, json: bool) -> int:
    """Print the plan of a commit. Nothing is started, and nothing written that stays.

    Raises UsageError as `resolve` does, and for a version that cannot be.
    """
    request, pipeline, dirty = await resolve(path, ref)
    job = job_of(os.environ)
    if job is not None and request.ref == "HEAD" and job.ref:
        request = request.model_copy(update={"ref": job.ref})
    if dirty:
        note(f"uncommitted changes are not part of it; this is about {request.commit[:12]}")
    found: ReleasePlan | None = None
    checklist, notes = Checklist(), ""
    if pipeline.release is not None:
        found, notes = await _planned(request, pipeline)
        if not found.nothing:
            checklist = await _expected(request, pipeline, found)
    gates = gates_in_force(pipeline)
    if json:
        print_json(_document(request, pipeline, found, notes, checklist, gates))
        return EXIT_OK
    _line(f"{request.repository}, {request.ref}, commit {request.commit[:12]}")
    if found is None:
        _line("no release: regreen.yaml has no section `release`")
    elif found.nothing:
        _line(f"nothing to release: {found.nothing}")
    else:
        print_plan(found)
        print_checklist(checklist)
    _print_gates(gates)
    _line(f"\napproval: {_APPROVAL[pipeline.approval.required]}")
    return EXIT_OK


async def _planned(request: PipelineRequest, pipeline: Pipeline) -> tuple[ReleasePlan, str]:
    """The plan, from the repository itself, and the text of its notes."""
    assert pipeline.release is not None
    subject = PlanSubject(
        repository=Path(request.location),
        location=request.location,
        name=request.repository,
        ref=request.ref,
        commit=request.commit,
    )
    with temporary_folder() as folder:
        try:
            found = await planned(subject, pipeline.release, folder, _only_named)
        except ApplicationError as error:
            raise UsageError(error.message) from error
        return found, (folder / found.notes.name).read_text("utf-8")


async def _only_named(path: Path, media_type: str) -> ArtifactRef:
    """The reference that the artifact store would give; nothing is kept."""
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    return ArtifactRef(name=path.name, sha256=digest, bytes=len(data), media_type=media_type)


async def _expected(request: PipelineRequest, pipeline: Pipeline, found: ReleasePlan) -> Checklist:
    """The checklist, in which what the run has yet to show is pending."""
    tree = await git(["rev-parse", f"{request.commit}^{{tree}}"], cwd=Path(request.location))
    source = Source(
        repository=request.repository,
        location=request.location,
        ref=request.ref,
        commit=request.commit,
        tree=tree.decode().strip(),
        bundle=found.notes,
    )
    checklist = checklist_of(
        Found(
            pipeline=pipeline,
            stages={},
            plan=found,
            packages=(),
            source=source,
            tree=source.tree,
            approval_required=pipeline.approval.required == "always",
        )
    )
    awaited = _awaited(pipeline)
    items = tuple(
        item.model_copy(update={"state": "pending", "detail": NEEDS[item.name]})
        if item.state != "off" and item.name in awaited
        else item
        for item in checklist.items
    )
    return checklist.model_copy(update={"items": items})


def _awaited(pipeline: Pipeline) -> set[ItemName]:
    """The items whose evidence only a run can bring, and can bring with this pipeline file."""
    awaited: set[ItemName] = {"tests", "signatures"}
    if pipeline.coverage is not None:
        awaited.add("coverage")
    if pipeline.security is not None and pipeline.security.vulnerabilities != "critical":
        awaited.add("vulnerabilities")
    if pipeline.package is not None:
        awaited.add("sbom")
    if pipeline.release is not None and pipeline.release.checklist.documentation:
        awaited.add("documentation")
    if pipeline.approval.required == "always":
        awaited.add("approval")
    return awaited


def _document(
    request: PipelineRequest,
    pipeline: Pipeline,
    found: ReleasePlan | None,
    notes: str,
    checklist: Checklist,
    gates: list[GateInForce],
) -> dict[str, Any]:
    return {
        "repository": request.repository,
        "ref": request.ref,
        "commit": request.commit,
        "plan": None if found is None else found.model_dump(mode="json") | {"notes": notes},
        "checklist": [
            {
                "name": item.name,
                "state": item.state,
                "detail": item.detail,
                "needs": NEEDS[item.name],
            }
            for item in checklist.items
        ],
        "gates": [
            {"stage": gate.stage, "gate": gate.gate, "threshold": gate.threshold} for gate in gates
        ],
        "approval": {
            "required": pipeline.approval.required,
            "asked": _APPROVAL[pipeline.approval.required],
        },
    }


def _print_gates(gates: list[GateInForce]) -> None:
    output.print()
    table = Table(box=None, pad_edge=False)
    table.add_column("stage", no_wrap=True)
    table.add_column("gate", no_wrap=True)
    table.add_column("in force", overflow="fold", max_width=48)
    for gate in gates:
        table.add_row(gate.stage, gate.gate, Text(gate.threshold))
    output.print(table)


def _line(text: str) -> None:
    output.print(text, markup=False, highlight=False, soft_wrap=True)
