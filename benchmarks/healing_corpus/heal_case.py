"""One case healed by the search healer, step by step as the heal loop does it."""

import asyncio
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from temporalio.testing import ActivityEnvironment

from activities.artifact_store import get_bytes
from activities.failure_triage import TriageRequest, triage_failures
from activities.heal_guard import GuardRequest, guard_patch
from activities.healing.verification import VerificationRequest, verify_patch
from activities.search_healer import SearchProposalRequest, propose_search_patch
from activities.test_stage import run_tests
from activities.workspace import private_folder
from benchmarks.healing_corpus.cases import STAGE, Baseline, Case, section
from benchmarks.healing_corpus.pristine import as_source
from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.run import StageRequest
from regreen.contracts.source import Workspace
from regreen.contracts.testing import TestReport, Triage


@dataclass(frozen=True)
class Healed:
    """What came of the rounds of one case."""

    patch: bytes | None
    """The verified patch, in `git diff` form."""
    reason: str
    """Why there is none, or what was verified."""
    rounds: int
    refused: tuple[str, ...]
    """What the guard or the verification said of earlier patches."""
    candidates: int
    seconds: float
    """From the triaged failure to the verified patch, or to giving up."""
    searching: float
    """Of them, seconds in the healer itself."""


async def heal(
    case: Case,
    pristine: Path,
    found: Baseline,
    *,
    seconds: float,
    seed: int,
    tell: Callable[[str], None],
) -> Healed:
    """Propose, guard and verify until a patch holds or `seconds` are over.

    Each round's search gets what the rounds before have left. A patch that is verified after the
    time counts as none.
    """
    stage = await _red_stage(case, pristine, found)
    fields = _fields(stage)
    report = await run_tests(stage)
    triage = await triage_failures(TriageRequest(**fields, report=report))
    if triage.kind != "reproducible":
        return Healed(None, f"{triage.kind}: {triage.reason}", 0, (), 0, 0.0, 0.0)
    return await _rounds(stage, report, triage, seconds, seed, tell)


async def _red_stage(case: Case, pristine: Path, found: Baseline) -> StageRequest:
    with private_folder() as folder:
        tree = folder / case.package
        await asyncio.to_thread(shutil.copytree, pristine, tree)
        case.write(tree)
        fetched = await as_source(tree, case.name)
    pipeline = fetched.pipeline.model_copy(update={"unit": section(found)})
    return StageRequest(stage=STAGE, workspace=Workspace(source=fetched.source), pipeline=pipeline)


def _fields(stage: StageRequest) -> dict[str, Any]:
    return {"stage": stage.stage, "workspace": stage.workspace, "pipeline": stage.pipeline}


async def _rounds(
    stage: StageRequest,
    report: TestReport,
    triage: Triage,
    seconds: float,
    seed: int,
    tell: Callable[[str], None],
) -> Healed:
    started = time.monotonic()
    excluded: list[ArtifactRef] = []
    refused: list[str] = []
    candidates, searching = 0, 0.0

    def ended(patch: bytes | None, reason: str) -> Healed:
        passed = time.monotonic() - started
        rounds = len(excluded) + (patch is None)
        if patch is not None and passed > seconds:
            patch, reason = None, f"late: a patch was verified after {passed:.0f} s"
        return Healed(patch, reason, rounds, tuple(refused), candidates, passed, searching)

    while (left := seconds - (time.monotonic() - started)) > 1:
        limited = stage.pipeline.heal.model_copy(update={"search_seconds": left, "seed": seed})
        pipeline = stage.pipeline.model_copy(update={"heal": limited})
        fields = _fields(stage) | {"pipeline": pipeline}
        environment = ActivityEnvironment()
        environment.on_heartbeat = lambda *details: tell(_line(details))
        before = time.monotonic()
        proposal = await environment.run(
            propose_search_patch,
            SearchProposalRequest(
                **fields,
                report=report,
                failing=triage.failing,
                quarantined=triage.flaky,
                refused=tuple(excluded),
                name=f"round-{len(excluded) + 1}.patch",
            ),
        )
        searching += time.monotonic() - before
        candidates += proposal.candidates
        if proposal.patch is None:
            return ended(None, proposal.explanation)
        excluded.append(proposal.patch)
        judged = await guard_patch(
            GuardRequest(**fields, patch=proposal.patch, failures=report.failures)
        )
        if judged.refusals:
            refused.append(f"guard: {judged.refusals[0]}")
            continue
        verified = await verify_patch(
            VerificationRequest(
                **fields,
                patch=proposal.patch,
                failing=triage.failing,
                quarantined=triage.flaky,
                original=report,
            )
        )
        if verified.verified:
            return ended(await get_bytes(verified.patch), verified.reason)
        refused.append(f"verification: {verified.reason}")
    return ended(None, f"{seconds:g} s are over")


def _line(details: tuple[Any, ...]) -> str:
    found = [each.get("line", "") for each in details if isinstance(each, dict)]
    return str(found[0]) if found else ""
