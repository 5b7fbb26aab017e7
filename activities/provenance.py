"""SLSA provenance: where a release's packages come from, as the workflow's history tells it."""

from typing import Any

from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.healing import Heal
from regreen.contracts.release import AttestRequest
from regreen.contracts.run import Review
from regreen.settings import load_settings

PROVENANCE_SUFFIX = ".provenance"
PROVENANCE_TYPE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:regreen:pipeline:v1"
"""Names what the parameters mean: docs/release.md."""
HEALS = "urn:regreen:heals"
APPROVALS = "urn:regreen:approvals"
CHECKLIST_ITEMS = "urn:regreen:checklist"
PIPELINE = "pipeline"


def provenance(request: AttestRequest) -> dict[str, Any]:
    """The predicate of type `https://slsa.dev/provenance/v1`.

    Everything in it is the publisher's own knowledge: the run's request, the commit, the heals
    that were verified and the people who approved. It holds no times, so that a release that is
    made again has the same provenance.
    """
    source = request.workspace.source
    materials = [
        {
            "uri": f"git:{source.repository}@{source.ref}",
            "digest": {"gitCommit": source.commit, "gitTree": source.tree},
        },
        *(
            _descriptor(f"patches/{number:04d}.patch", patch)
            for number, patch in enumerate(request.workspace.patches, start=1)
        ),
    ]
    return {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": {
                "repository": source.repository,
                "ref": source.ref,
                "commit": source.commit,
                "version": request.plan.version,
                "tag": request.plan.tag,
                "tagged": request.commit,
                PIPELINE: request.pipeline.model_dump(mode="json"),
            },
            "internalParameters": {
                HEALS: [_heal(heal) for heal in request.heals],
                APPROVALS: [_approval(review) for review in request.approvals],
                **_checklist(request),
            },
            "resolvedDependencies": materials,
        },
        "runDetails": {
            "builder": {"id": load_settings().builder},
            "metadata": {"invocationId": request.run},
            "byproducts": [_descriptor(bill.path, bill.content) for bill in request.bills],
        },
    }


def _checklist(request: AttestRequest) -> dict[str, Any]:
    if request.checklist_file is None:
        return {}
    items = {item.name: item.state for item in request.checklist.items}
    return {CHECKLIST_ITEMS: {"sha256": request.checklist_file.sha256, "items": items}}


def _descriptor(name: str, content: ArtifactRef) -> dict[str, Any]:
    return {"name": name, "digest": {"sha256": content.sha256}}


def _heal(heal: Heal) -> dict[str, Any]:
    return {
        "stage": heal.stage,
        "healer": heal.healer,
        "patch": {"sha256": heal.patch.sha256},
        "failing": list(heal.failing),
        "attempts": heal.attempts,
    }


def _approval(review: Review) -> dict[str, str]:
    return {
        "reviewer": review.reviewer,
        "source": review.source,
        "comment": review.comment,
        "tree": review.tree,
    }
