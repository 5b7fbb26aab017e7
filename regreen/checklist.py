"""The checklist of a release, decided from what the run has. Plain functions, no side effects."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.base import Contract
from regreen.contracts.checklist import Checklist, ChecklistItem, Evidence, ItemName, ItemState
from regreen.contracts.gates import GateName, GateVerdict
from regreen.contracts.release import ReleaseFile, SignedFiles
from regreen.contracts.release_plan import ReleaseDocument, ReleasePlan
from regreen.contracts.run import Review, StageReport, StageVerdict
from regreen.contracts.source import Source
from regreen.pipeline_file import Pipeline

NEEDS: dict[ItemName, str] = {
    "tests": "every configured test stage green on the released tree",
    "coverage": "the gate `coverage` passed or waived",
    "vulnerabilities": "the gate `dependencies` passed or waived, at `high` or below",
    "sbom": "a bill of materials for the wheel, with components",
    "signatures": "a verified signature for each package",
    "changelog": "the version in the repository's changelog, or else in the notes",
    "documentation": "the configured command ends with 0",
    "migration": "a changed or named migration guide",
    "rollback": "the configured rollback plan in the commit",
    "approval": "the approval of a person",
}
"""What shows that an item is met, for a person."""

_STAGES = ("unit", "integration", "e2e")
_BILLS = (".cdx.json", ".spdx.json")


@dataclass(frozen=True)
class Found:
    """What a run has found before a person is asked."""

    pipeline: Pipeline
    stages: Mapping[str, StageReport]
    plan: ReleasePlan
    packages: Sequence[ArtifactRef]
    """Packages and bills of materials."""
    source: Source
    tree: str
    """Git's hash of the tree that is released, with heals."""
    approval_required: bool
    documentation: StageVerdict | None = None
    """What the command that checks the documentation said; None when it was not run."""


def checklist_of(found: Found) -> Checklist:
    """All items. Signatures, and an approval that is required, are pending."""
    off = found.pipeline.release.checklist.off if found.pipeline.release else {}
    judged = (
        _tests(found),
        _gate(found, "coverage", "coverage", "coverage"),
        _vulnerabilities(found),
        _bills(found),
        ChecklistItem(name="signatures", state="pending", detail="made when it is released"),
        _changelog(found),
        _documentation(found),
        _migration(found),
        _rollback(found),
        _approval(found),
    )
    return Checklist(
        repository=found.source.repository,
        commit=found.source.commit,
        tree=found.tree,
        version=found.plan.version,
        items=tuple(
            ChecklistItem(name=item.name, state="off", detail=off[item.name])
            if item.name in off
            else item
            for item in judged
        ),
    )


def with_approvals(checklist: Checklist, approvals: Sequence[Review]) -> Checklist:
    """The checklist once a person has decided, or nobody had to."""
    item = checklist.item("approval")
    if item is None or item.state != "pending":
        return checklist
    people = [review for review in approvals if review.decision == "approve" and review.reviewer]
    if not people:
        return checklist.replaced(_unmet("approval", "nobody has approved it"))
    names = ", ".join(f"{review.reviewer} ({review.source})" for review in people)
    # Without what a delivery is called, since the same approval given again is the same evidence.
    said = [review.model_copy(update={"delivery_id": ""}) for review in people]
    evidence = tuple(
        Evidence(kind="review", name=review.reviewer, digest=digest_of(review)) for review in said
    )
    return checklist.replaced(_met("approval", f"approved by {names}", evidence))


def with_signatures(
    checklist: Checklist, files: Iterable[ReleaseFile], signed: SignedFiles
) -> Checklist:
    """The checklist once the `files` of the release are signed, or could not be."""
    item = checklist.item("signatures")
    if item is None or item.state != "pending":
        return checklist
    if signed.skipped:
        return checklist.replaced(_unmet("signatures", f"nothing is signed: {signed.skipped}"))
    bundles = {bundle.path: bundle for bundle in signed.bundles}
    evidence = []
    for file in files:
        bundle = bundles.get(f"{file.path}.bundle")
        if bundle is None:
            return checklist.replaced(_unmet("signatures", f"{file.path} has no signature"))
        evidence.append(
            Evidence(kind="file", name=bundle.path, digest=bundle.content.sha256),
        )
    detail = f"{len(evidence)} files signed and verified"
    return checklist.replaced(_met("signatures", detail, tuple(evidence)))


def digest_of(contract: Contract) -> str:
    """SHA-256 of a contract as JSON, as the run's history holds it."""
    return hashlib.sha256(contract.model_dump_json().encode()).hexdigest()


def _tests(found: Found) -> ChecklistItem:
    told, evidence = [], [Evidence(kind="tree", name="tree", digest=found.tree)]
    for name in _STAGES:
        if found.pipeline.tests(name) is None:
            continue
        report = found.stages.get(name)
        if report is None or report.state not in ("passed", "healed"):
            return _unmet("tests", f"the stage `{name}` has not passed")
        left = f", {len(report.quarantined)} quarantined" if report.quarantined else ""
        told.append(f"{name} {report.state}{left}")
        evidence.append(Evidence(kind="verdict", name=name, digest=digest_of(report)))
        evidence += [_artifact(ref) for ref in report.artifacts]
    return _met("tests", ", ".join(told), tuple(evidence))


def _gate(found: Found, name: ItemName, stage: str, gate: GateName) -> ChecklistItem:
    """An item that a gate's verdict shows. A gate that was skipped shows nothing."""
    report = found.stages.get(stage)
    verdicts = [verdict for verdict in report.gates if verdict.gate == gate] if report else []
    if report is None or not verdicts:
        return _unmet(name, f"the gate `{gate}` did not run ({stage}: null)")
    for verdict in verdicts:
        if verdict.state not in ("passed", "waived"):
            return _unmet(name, f"the gate `{gate}` was {verdict.state}: {verdict.summary}")
    evidence = [Evidence(kind="verdict", name=gate, digest=digest_of(each)) for each in verdicts]
    evidence += [_artifact(ref) for ref in report.artifacts if ref.name.endswith(".sarif")]
    return _met(name, "; ".join(map(_said, verdicts)), tuple(evidence))


def _vulnerabilities(found: Found) -> ChecklistItem:
    section = found.pipeline.security
    if section is not None and section.vulnerabilities == "critical":
        why = "`security.vulnerabilities: critical` lets HIGH pass"
        return _unmet("vulnerabilities", why)
    return _gate(found, "vulnerabilities", "security", "dependencies")


def _bills(found: Found) -> ChecklistItem:
    wheels = [ref for ref in found.packages if ref.name.endswith(".whl")]
    bills = [ref for ref in found.packages if ref.name.endswith(_BILLS)]
    if not wheels:
        return _unneeded("sbom", "no wheel: bills of materials are made of wheels")
    if not bills:
        return _unmet("sbom", "no bill of materials was made")
    evidence = tuple(Evidence(kind="file", name=ref.name, digest=ref.sha256) for ref in bills)
    return _met("sbom", f"{', '.join(ref.name for ref in bills)}", evidence)


def _changelog(found: Found) -> ChecklistItem:
    document = _document(found, "changelog")
    if document is None:
        notes = found.plan.notes
        evidence = (Evidence(kind="file", name=notes.name, digest=notes.sha256),)
        return _met("changelog", "the release notes; the repository has no changelog", evidence)
    return _documented("changelog", document, f"{document.path} mentions the version")


def _documentation(found: Found) -> ChecklistItem:
    verdict = found.documentation
    if verdict is None:
        return _unneeded("documentation", "no `release.checklist.documentation` is configured")
    if verdict.state != "passed":
        return _unmet("documentation", verdict.summary)
    evidence = [Evidence(kind="verdict", name="documentation", digest=digest_of(verdict))]
    evidence += [_artifact(ref) for ref in verdict.artifacts]
    return _met("documentation", verdict.summary, tuple(evidence))


def _migration(found: Found) -> ChecklistItem:
    document = _document(found, "migration")
    if document is None:
        return _unneeded("migration", "nothing breaks")
    return _documented("migration", document, f"{document.path} tells how")


def _rollback(found: Found) -> ChecklistItem:
    document = _document(found, "rollback")
    if document is None:
        return _unneeded("rollback", "no `release.checklist.rollback` is configured")
    return _documented("rollback", document, f"the plan is {document.path}")


def _approval(found: Found) -> ChecklistItem:
    if found.approval_required:
        return ChecklistItem(name="approval", state="pending", detail="a person is asked")
    if found.pipeline.approval.required == "healed":
        return _unneeded("approval", "`approval.required: healed`, and nothing was healed")
    return _unneeded("approval", "`approval.required: never`")


def _document(found: Found, item: str) -> ReleaseDocument | None:
    return next((each for each in found.plan.documents if each.item == item), None)


def _documented(name: ItemName, document: ReleaseDocument, detail: str) -> ChecklistItem:
    if document.problem:
        return _unmet(name, document.problem)
    evidence = Evidence(kind="document", name=document.path, digest=document.sha256)
    return _met(name, detail, (evidence,))


def _said(verdict: GateVerdict) -> str:
    return f"waived: {verdict.summary}" if verdict.state == "waived" else verdict.summary


def _artifact(ref: ArtifactRef) -> Evidence:
    return Evidence(kind="artifact", name=ref.name, digest=ref.sha256)


def _met(name: ItemName, detail: str, evidence: tuple[Evidence, ...]) -> ChecklistItem:
    return ChecklistItem(name=name, state="met", detail=detail, evidence=evidence)


def _unmet(name: ItemName, detail: str) -> ChecklistItem:
    return _without_evidence(name, "unmet", detail)


def _unneeded(name: ItemName, detail: str) -> ChecklistItem:
    return _without_evidence(name, "unneeded", detail)


def _without_evidence(name: ItemName, state: ItemState, detail: str) -> ChecklistItem:
    return ChecklistItem(name=name, state=state, detail=detail)
