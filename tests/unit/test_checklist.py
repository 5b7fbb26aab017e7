"""The checklist of a release: what shows each item, and what plants a failure in it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from regreen.checklist import Found, checklist_of, with_approvals, with_signatures
from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.checklist import ITEMS, Checklist, ChecklistItem, ItemName
from regreen.contracts.gates import GateVerdict
from regreen.contracts.release import ReleaseFile, SignedFiles
from regreen.contracts.release_plan import ReleaseDocument, ReleasePlan
from regreen.contracts.run import Review, StageReport, StageVerdict
from regreen.contracts.source import Source
from regreen.pipeline_file import Pipeline
from regreen.pipeline_reading import parse_pipeline

FILE = """
integration: {}
approval: {required: always}
release:
  checklist:
    documentation: [make, docs]
    migration: docs/migration.md
    rollback: docs/rollback.md
"""
REVIEW = Review(reviewer="ada", decision="approve", source="webhook", tree="b" * 40)


def _ref(name: str, digit: str = "1") -> ArtifactRef:
    return ArtifactRef(name=name, sha256=digit * 64, bytes=1)


WHEEL, BILL, NOTES = (
    _ref("shop-1.0.0-py3-none-any.whl", "a"),
    _ref("shop-1.0.0.cdx.json", "b"),
    _ref("RELEASE_NOTES.md", "c"),
)
SARIF = _ref("security.sarif", "d")
SOURCE = Source(
    repository="example/shop",
    location="/shop",
    ref="main",
    commit="a" * 40,
    tree="b" * 40,
    bundle=_ref("source.bundle"),
)
DOCUMENTS = tuple(
    ReleaseDocument(item=item, path=path, sha256=digit * 64)
    for item, path, digit in (
        ("changelog", "CHANGELOG.md", "2"),
        ("migration", "docs/migration.md", "3"),
        ("rollback", "docs/rollback.md", "4"),
    )
)
PLAN = ReleasePlan(
    version="2.0.0",
    tag="v2.0.0",
    previous_tag="v1.0.0",
    bump="major",
    notes=NOTES,
    breaking=("no more coffee",),
    documents=DOCUMENTS,
)


def _gate(gate: Any, state: Any = "passed") -> GateVerdict:
    return GateVerdict(gate=gate, state=state, summary=f"{gate}: {state}")


GOOD = Found(
    pipeline=parse_pipeline(FILE),
    stages={
        "unit": StageReport(name="unit", state="passed", artifacts=(_ref("report.jsonl", "5"),)),
        "integration": StageReport(name="integration", state="healed", quarantined=("t::flaky",)),
        "coverage": StageReport(name="coverage", state="passed", gates=(_gate("coverage"),)),
        "security": StageReport(
            name="security",
            state="passed",
            gates=(_gate("secrets"), _gate("dependencies")),
            artifacts=(SARIF,),
        ),
    },
    plan=PLAN,
    packages=(WHEEL, BILL),
    source=SOURCE,
    tree="b" * 40,
    approval_required=True,
    documentation=StageVerdict(state="passed", summary="`make` ended with 0"),
)
FILES = tuple(ReleaseFile(path=ref.name, content=ref) for ref in (WHEEL, BILL))
SIGNED = SignedFiles(
    bundles=tuple(
        ReleaseFile(path=f"{file.path}.bundle", content=_ref(f"{file.path}.bundle", digit))
        for file, digit in zip(FILES, "67", strict=True)
    ),
    public_key=_ref("cosign.pub"),
)


def _complete(found: Found) -> Checklist:
    return with_signatures(with_approvals(checklist_of(found), (REVIEW,)), FILES, SIGNED)


def _item(checklist: Checklist, name: ItemName) -> ChecklistItem:
    item = checklist.item(name)
    assert item is not None
    return item


def test_each_item_is_bound_to_evidence_by_digest() -> None:
    checklist = _complete(GOOD)
    assert checklist.incomplete == ""
    assert (checklist.version, checklist.commit) == ("2.0.0", "a" * 40)
    shown = {
        item.name: {(each.kind, each.name) for each in item.evidence} for item in checklist.items
    }
    assert list(shown) == list(ITEMS)
    assert shown == {
        "tests": {
            ("tree", "tree"),
            ("verdict", "unit"),
            ("verdict", "integration"),
            ("artifact", "report.jsonl"),
        },
        "coverage": {("verdict", "coverage")},
        "vulnerabilities": {("verdict", "dependencies"), ("artifact", "security.sarif")},
        "sbom": {("file", BILL.name)},
        "signatures": {("file", f"{WHEEL.name}.bundle"), ("file", f"{BILL.name}.bundle")},
        "changelog": {("document", "CHANGELOG.md")},
        "documentation": {("verdict", "documentation")},
        "migration": {("document", "docs/migration.md")},
        "rollback": {("document", "docs/rollback.md")},
        "approval": {("review", "ada")},
    }
    assert _item(checklist, "tests").detail == "unit passed, integration healed, 1 quarantined"
    assert _item(checklist, "approval").detail == "approved by ada (webhook)"
    assert _item(checklist, "sbom").evidence[0].digest == BILL.sha256


def test_other_verdicts_are_other_evidence() -> None:
    other = _stages(coverage=StageReport(name="coverage", gates=(_gate("coverage", "waived"),)))
    digests = {
        _item(_complete(each), "coverage").evidence[0].digest for each in (GOOD, other(GOOD))
    }
    assert len(digests) == 2
    assert _item(_complete(other(GOOD)), "coverage").detail == "waived: coverage: waived"


Change = Callable[[Found], Found]


def _stages(**reports: StageReport | None) -> Change:
    def changed(found: Found) -> Found:
        stages = dict(found.stages) | {k: v for k, v in reports.items() if v is not None}
        gone = [name for name, report in reports.items() if report is None]
        return replace(found, stages={k: v for k, v in stages.items() if k not in gone})

    return changed


def _with(**fields: Any) -> Change:
    return lambda found: replace(found, **fields)


def _section(text: str) -> Change:
    return lambda found: replace(found, pipeline=parse_pipeline(FILE + text))


def _document(item: str, **changed: str) -> Change:
    documents = tuple(
        each.model_copy(update=changed) if each.item == item else each for each in DOCUMENTS
    )
    return _with(plan=PLAN.model_copy(update={"documents": documents}))


PLANTED: list[tuple[ItemName, Change, str]] = [
    ("tests", _stages(unit=StageReport(name="unit", state="failed")), "`unit` has not passed"),
    ("tests", _stages(integration=None), "the stage `integration` has not passed"),
    (
        "coverage",
        _stages(coverage=StageReport(name="coverage", state="skipped")),
        "the gate `coverage` did not run (coverage: null)",
    ),
    (
        "coverage",
        _stages(coverage=StageReport(name="coverage", gates=(_gate("coverage", "skipped"),))),
        "the gate `coverage` was skipped: coverage: skipped",
    ),
    (
        "vulnerabilities",
        _stages(security=StageReport(name="security", gates=(_gate("secrets"),))),
        "the gate `dependencies` did not run",
    ),
    (
        "vulnerabilities",
        _stages(security=StageReport(name="security", gates=(_gate("dependencies", "failed"),))),
        "the gate `dependencies` was failed",
    ),
    (
        "vulnerabilities",
        _section("security: {vulnerabilities: critical}"),
        "`security.vulnerabilities: critical` lets HIGH pass",
    ),
    ("sbom", _with(packages=(WHEEL,)), "no bill of materials was made"),
    (
        "changelog",
        _document("changelog", problem="CHANGELOG.md does not mention 2.0.0"),
        "CHANGELOG.md does not mention 2.0.0",
    ),
    (
        "documentation",
        _with(documentation=StageVerdict(state="failed", summary="`make` ended with 2")),
        "`make` ended with 2",
    ),
    ("migration", _document("migration", problem="no guide"), "no guide"),
    ("rollback", _document("rollback", problem="docs/rollback.md is empty"), "is empty"),
]


@pytest.mark.parametrize(("name", "change", "why"), PLANTED)
def test_an_item_without_evidence_blocks_with_one_line(
    name: ItemName, change: Change, why: str
) -> None:
    checklist = _complete(change(GOOD))
    assert [item.name for item in checklist.items if item.state != "met"] == [name]
    assert _item(checklist, name).evidence == ()
    said = checklist.unmet
    assert said == checklist.incomplete
    assert said.startswith(f"checklist: {name}: ")
    assert why in said
    assert f"`release.checklist.off.{name}`" in said
    assert "\n" not in said


def test_signatures_block_when_nothing_or_not_everything_is_signed() -> None:
    checklist = with_approvals(checklist_of(GOOD), (REVIEW,))
    skipped = SignedFiles(bundles=(), public_key=None, skipped="cosign not found")
    said = with_signatures(checklist, FILES, skipped).unmet
    assert "signatures: nothing is signed: cosign not found" in said
    partly = SIGNED.model_copy(update={"bundles": SIGNED.bundles[1:]})
    assert f"{WHEEL.name} has no signature" in with_signatures(checklist, FILES, partly).unmet
    assert checklist.unmet == ""
    assert checklist.incomplete == "checklist: signatures: its evidence never came"


@pytest.mark.parametrize(
    "approvals",
    [
        (),
        (REVIEW.model_copy(update={"reviewer": ""}),),
        (REVIEW.model_copy(update={"decision": "reject"}),),
    ],
)
def test_an_approval_blocks_when_no_person_gave_it(approvals: tuple[Review, ...]) -> None:
    said = with_approvals(checklist_of(GOOD), approvals).unmet
    assert said.startswith("checklist: approval: nobody has approved it")


def test_an_approval_that_is_given_again_is_the_same_evidence() -> None:
    again, other = (
        REVIEW.model_copy(update=changed) for changed in ({"delivery_id": "7"}, {"comment": "why"})
    )
    digests = [
        _item(with_approvals(checklist_of(GOOD), (review,)), "approval").evidence[0].digest
        for review in (REVIEW, again, other)
    ]
    assert digests[0] == digests[1] != digests[2]


def test_several_unmet_items_are_named() -> None:
    said = _complete(replace(GOOD, stages={}, packages=(WHEEL,))).unmet
    assert said.startswith("checklist: tests: the stage `unit` has not passed")
    assert said.endswith("(also unmet: coverage, vulnerabilities, sbom)")


def test_an_item_is_off_with_its_reason_and_no_other_is() -> None:
    pipeline = parse_pipeline("release: {checklist: {off: {coverage: measured elsewhere}}}")
    checklist = checklist_of(replace(GOOD, pipeline=pipeline, stages={}))
    item = _item(checklist, "coverage")
    assert (item.state, item.detail, item.evidence) == ("off", "measured elsewhere", ())
    assert [each.name for each in checklist.items if each.state == "off"] == ["coverage"]
    assert "also unmet: vulnerabilities)" in checklist.unmet


def test_what_does_not_apply_says_why() -> None:
    found = replace(
        GOOD,
        pipeline=Pipeline(),
        plan=PLAN.model_copy(update={"documents": ()}),
        packages=(_ref("shop.zip"),),
        approval_required=False,
        documentation=None,
    )
    checklist = with_signatures(with_approvals(checklist_of(found), ()), (), SIGNED)
    unneeded = {item.name: item.detail for item in checklist.items if item.state == "unneeded"}
    assert unneeded == {
        "sbom": "no wheel: bills of materials are made of wheels",
        "documentation": "no `release.checklist.documentation` is configured",
        "migration": "nothing breaks",
        "rollback": "no `release.checklist.rollback` is configured",
        "approval": "`approval.required: healed`, and nothing was healed",
    }
    changelog = _item(checklist, "changelog")
    assert (changelog.state, changelog.evidence[0].name) == ("met", "RELEASE_NOTES.md")


def test_a_checklist_that_lacks_an_item_or_has_it_twice_is_incomplete() -> None:
    checklist = _complete(GOOD)
    fewer = checklist.model_copy(update={"items": checklist.items[1:]})
    assert fewer.incomplete == "checklist: has the item tests 0 times"
    twice = checklist.model_copy(update={"items": (*checklist.items, checklist.items[0])})
    assert twice.incomplete == "checklist: has the item tests 2 times"
    assert Checklist().incomplete
