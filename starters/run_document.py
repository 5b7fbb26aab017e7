"""The JSON document that `regreen run --json` prints (`docs/command-line.md`)."""

from typing import Any
from urllib.parse import quote

from activities.artifact_store import local_path
from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.run import RunReport, StageReport
from regreen.settings import Settings


def run_document(report: RunReport, settings: Settings, ui: str | None) -> dict[str, Any]:
    """A run as plain data. Paths are given where the artifact store is a folder."""

    def artifact(ref: ArtifactRef) -> dict[str, Any]:
        path = local_path(ref, settings.artifacts_url)
        return ref.model_dump() | {"path": None if path is None else str(path)}

    def optional(ref: ArtifactRef | None) -> dict[str, Any] | None:
        return None if ref is None else artifact(ref)

    def stage(report: StageReport) -> dict[str, Any]:
        return {
            "name": report.name,
            "state": report.state,
            "seconds": report.seconds,
            "summary": report.summary,
            "attempts": [
                {
                    "number": attempt.number,
                    "healer": attempt.healer,
                    "verdict": attempt.verdict,
                    "reason": attempt.reason,
                    "patch": optional(attempt.patch),
                    "candidates": attempt.candidates,
                    "tokens": attempt.tokens,
                    "cost_usd": attempt.cost_usd,
                    "seconds": attempt.seconds,
                }
                for attempt in report.attempts
            ],
            "gates": [gate.model_dump(mode="json") for gate in report.gates],
            "reused": list(report.reused),
            "quarantined": list(report.quarantined),
            "triage": None
            if report.triage is None
            else report.triage.model_dump(
                mode="json", include={"kind", "reason", "parent", "upstream", "evidence"}
            ),
        }

    artifacts = [ref for each in report.stages for ref in each.artifacts]
    if report.findings is not None:
        artifacts.append(report.findings)
    pull_request, release = report.pull_request, report.release
    return {
        "run_id": report.run_id,
        "workflow_id": report.workflow_id,
        "state": report.state,
        "reason": report.reason,
        "repository": report.request.repository,
        "ref": report.request.ref,
        "commit": report.request.commit,
        "tree": report.tree,
        "sandbox": report.sandbox,
        "stages": [stage(each) for each in report.stages if each.state is not None],
        "current": [each.name for each in report.stages if each.running and each.state is None],
        "artifacts": [artifact(ref) for ref in artifacts],
        "pull_request": None
        if pull_request is None
        else {"branch": pull_request.branch, "url": pull_request.url},
        "plan": None if report.plan is None else report.plan.model_dump(mode="json"),
        "checklist": None
        if report.checklist is None
        else [item.model_dump(mode="json") for item in report.checklist.items],
        "release": None
        if release is None
        else {
            "version": release.version,
            "directory": release.directory,
            "url": release.url,
            "targets": [receipt.model_dump(mode="json") for receipt in release.receipts],
        },
        "approvals": [
            each.model_dump(mode="json", exclude={"decision"}) for each in report.approvals
        ],
        "refused_reviews": [each.model_dump(mode="json") for each in report.refused_reviews],
        "audit": {
            "record": optional(report.audit.record),
            "sealed": report.audit.sealed,
            "bundle": optional(report.audit.bundle),
            "public_key": optional(report.audit.public_key),
            "unsigned": report.audit.unsigned,
            "problem": report.audit.problem,
        },
        "ui": run_page(report, ui),
    }


def run_page(report: RunReport, ui: str | None) -> str | None:
    """The run's page in the Temporal web UI."""
    if ui is None:
        return None
    workflow = quote(report.workflow_id, safe="")
    return f"{ui}/workflows/{workflow}/{report.run_id}/timeline"
