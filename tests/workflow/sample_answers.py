"""Values that the fakes answer with: a repository whose stages are green, and its failures."""

import hashlib
from collections.abc import Callable
from typing import Any, get_args

from activities.cross_check import joined
from activities.gate_weighing import weigh
from activities.model_prompt import Prompt, Prompts, ReadReply
from activities.patch_memory import FailedPatches
from activities.sarif import SARIF
from activities.waivers import Waivers, moment
from regreen.contracts.announcement import Alerts, AnnouncementKind, AnnouncementPlaces, Told
from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.audit import AuditRecord
from regreen.contracts.dependencies import DependencyList
from regreen.contracts.gates import (
    Finding,
    GateName,
    GateWeighing,
    Scan,
    Waiver,
    WeighedGates,
)
from regreen.contracts.healing import GuardVerdict, Proposal, Refusal
from regreen.contracts.model import ModelReply, ModelTerms, Price
from regreen.contracts.receipts import TakenBack, TargetReceipt
from regreen.contracts.reconciliation import MissedEvents, Reconciled
from regreen.contracts.release import (
    Attestations,
    AttestRequest,
    FolderReceipt,
    ReleaseFile,
    SignedFiles,
    SignRequest,
    TagReceipt,
    TagRequest,
    VerificationReport,
)
from regreen.contracts.release_plan import ReleasePlan
from regreen.contracts.repository import FoundRuns, Selected
from regreen.contracts.reviewer import ReviewerAnswer
from regreen.contracts.run import PipelineRequest, PullRequest, SourceFetched, StageVerdict
from regreen.contracts.source import Source
from regreen.contracts.testing import TestFailure, TestReport, Triage, Verification
from regreen.contracts.waivers import ReleasedWaivers
from regreen.pipeline_file import (
    HealSection,
    LoadSection,
    Pipeline,
    ReleaseSection,
    TestSection,
)

COMMIT = "c" * 40
RED = "tests/test_prices.py::test_discount"
OTHER_RED = "tests/test_prices.py::test_total"
SIGNATURE = "0123456789abcdef"
"""Of the failures that happen each time."""


def ref(name: str) -> ArtifactRef:
    """A reference to an artifact that nobody stored."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    return ArtifactRef(name=name, sha256=digest, bytes=len(name))


SOURCE = Source(
    repository="example/shop",
    location="/repositories/shop",
    ref="main",
    commit=COMMIT,
    tree="a" * 40,
    bundle=ref("source.bundle"),
)
PULL_REQUEST = PullRequest(
    branch="auto-heal/unit/20260102T030405Z",
    url="local:example/shop#1",
    number=1,
    head="d" * 40,
    tree="b" * 40,
)
PLAN = ReleasePlan(
    version="1.1.0", tag="v1.1.0", previous_tag="v1.0.0", bump="minor", notes=ref("NOTES.md")
)
FULL = Pipeline(
    integration=TestSection(),
    e2e=TestSection(),
    load=LoadSection(script="load.js"),
    release=ReleaseSection(),
)
"""Every stage."""
UNIT_ONLY = Pipeline(lint=None, coverage=None, security=None, package=None)


def request(**changes: Any) -> PipelineRequest:
    """A request for a run."""
    known = {"repository": "example/shop", "location": "/repositories/shop", "ref": "main"}
    return PipelineRequest(**(known | {"commit": COMMIT} | changes))


def healing_with(*healers: str, **section: Any) -> Pipeline:
    """A pipeline of the unit stage only, with these healers and this `heal` section."""
    heal = HealSection.model_validate(section)
    return UNIT_ONLY.model_copy(update={"healers": healers, "heal": heal})


SEARCH = healing_with("search")
OPENAI = healing_with("openai")
BOTH = healing_with("search", "openai")


def fetched(pipeline: Pipeline) -> SourceFetched:
    """What the source step gives."""
    return SourceFetched(source=SOURCE, pipeline=pipeline)


def passed(summary: str, *artifacts: str) -> StageVerdict:
    """A stage's good verdict."""
    return StageVerdict(state="passed", summary=summary, artifacts=tuple(map(ref, artifacts)))


def missing(gate: GateName, tool: str) -> Scan:
    """The scan of a gate whose tool is not installed."""
    return Scan(gate=gate, tool=tool, missing_tool=tool)


def scanned(gate: GateName, tool: str, *findings: Finding, **more: Any) -> Scan:
    """What a gate's tool found in twelve files."""
    known: dict[str, Any] = {"examined": 12, "unit": "file", "findings": findings}
    return Scan(gate=gate, tool=tool, found=len(findings), **(known | more))


def packaged(tool: str, *names: str) -> Scan:
    """The scan of a packager that made these files."""
    artifacts = tuple(map(ref, names))
    return scanned("packages", tool, examined=len(names), unit="package", artifacts=artifacts)


def finding(rule: str, **more: Any) -> Finding:
    """A finding that blocks."""
    known = {"tool": "bandit", "severity": "high", "path": "shop.py", "line": 7, "message": "bad"}
    return Finding.model_validate({"rule": rule, "fingerprint": "a" * 32} | known | more)


def waiver(rule: str, expires: str) -> Waiver:
    """What excuses the findings of a rule."""
    return Waiver(
        rule=rule,
        status="not_affected",
        owner="shop team",
        reason="no user input",
        expires=expires,
        document=".vex/shop.json",
    )


def weighed_with(*waivers: Waiver) -> Callable[[GateWeighing], WeighedGates]:
    """The answer of `weigh_gates` where the repository has these waivers."""

    def answer(weighing: GateWeighing) -> WeighedGates:
        now = moment(weighing.now)
        known = Waivers(waivers, ())
        scans = joined(weighing.scans, weighing.stage, weighing.pipeline.require)
        verdicts = [weigh(scan, weighing.pipeline, known, now) for scan in scans]
        log = ref(f"{weighing.stage}.sarif").model_copy(update={"media_type": SARIF})
        needed = any(verdict.reopens for verdict in verdicts)
        return WeighedGates(
            verdicts=tuple(verdicts),
            sarif=log,
            waivers=ref(f"{weighing.stage}.waivers.jsonl") if needed else None,
            score=100 if weighing.stage == "security" else None,
        )

    return answer


GREEN = TestReport(
    outcome="passed", total=41, passed=41, failed=0, skipped=0, collected_digest="f" * 64, seconds=1
)


def red(*node_ids: str) -> TestReport:
    """A test run in which these tests fail."""
    failures = [
        TestFailure(node_id=node_id, phase="call", exception="AssertionError", message="assert 90")
        for node_id in node_ids
    ]
    return GREEN.model_copy(
        update={
            "outcome": "failed",
            "passed": 41 - len(failures),
            "failed": len(failures),
            "failures": tuple(failures),
        }
    )


def reproducible(*failing: str, flaky: tuple[str, ...] = ()) -> Triage:
    """Triage of failures that happen each time."""
    return Triage(
        kind="reproducible",
        reason="fails each time",
        failing=failing,
        flaky=flaky,
        signature=SIGNATURE,
    )


def proposal(name: str | None) -> Proposal:
    """A proposal of the search healer; None when it found nothing."""
    if name is None:
        return Proposal(patch=None, explanation="no candidate passes")
    return Proposal(patch=ref(name), explanation=f"{name}: `<` becomes `<=`")


def refused(rule: str) -> GuardVerdict:
    """The guard's refusal."""
    reason = "an assertion is lost"
    return GuardVerdict(refusals=(Refusal(rule=rule, path="shop.py", line=7, reason=reason),))


def verified(name: str) -> Verification:
    """A patch that holds."""
    return Verification(verified=True, reason="41 of 41 green", patch=ref(name), report=GREEN)


def still_red(name: str) -> Verification:
    """A patch that does not."""
    return Verification(verified=False, reason=f"{RED} still fails", patch=ref(name))


def reply(text: str, *, tokens: int = 1000, cost_usd: float = 0.5, **more: Any) -> ModelReply:
    """An answer of the model."""
    return ModelReply(
        reply=ref(text),
        model="sample",
        input_tokens=tokens - 10,
        output_tokens=10,
        cost_usd=cost_usd,
        **more,
    )


def prompts(count: int = 1, *, tokens: int = 500) -> Prompts:
    """Prompts for so many candidates."""
    written = tuple(Prompt(prompt=ref(f"prompt-{n}.txt"), tokens=tokens) for n in range(count))
    return Prompts(instructions="mend it", prompts=written)


def _signed(sign: SignRequest) -> SignedFiles:
    bundles = [f"{file.path}.bundle" for file in sign.files]
    files = tuple(ReleaseFile(path=path, content=ref(path)) for path in bundles)
    return SignedFiles(bundles=files, public_key=ref("cosign.pub"))


def _attested(request: AttestRequest) -> Attestations:
    paths = [f"{package.path}.provenance.sigstore.json" for package in request.packages]
    return Attestations(files=tuple(ReleaseFile(path=path, content=ref(path)) for path in paths))


def _tagged(tag: TagRequest) -> TagReceipt:
    return TagReceipt(name=tag.name, commit=tag.commit, object="e" * 40, adopted=False)


_FOLDER = FolderReceipt(directory="/releases/example/shop/1.1.0", sums="0" * 64, adopted=False)

_RECEIPT = TargetReceipt(target="http", address="http://127.0.0.1/1.1.0", files=(), adopted=False)

ALL_GREEN: dict[str, Any] = {
    "select_event": Selected(),
    "find_runs": FoundRuns(),
    "deliver_events": Reconciled(),
    "fetch_source": fetched(UNIT_ONLY),
    "report_isolation": "bubblewrap",
    "check_reviewer": ReviewerAnswer(),
    "build_environment": passed("uv: 12 packages"),
    "run_tests": GREEN,
    "triage_failures": reproducible(RED),
    "propose_search_patch": proposal("one.patch"),
    "check_model": ModelTerms(model="sample", price=Price(input_usd=1, output_usd=10)),
    "write_model_prompt": prompts(),
    "ask_model": reply("a patch"),
    "read_model_reply": ReadReply(patch=ref("model.patch"), explanation="the model's reason"),
    "guard_patch": GuardVerdict(),
    "verify_patch": lambda request: verified(request.patch.name),
    "recall_failed_patches": FailedPatches(),
    "remember_failed_patches": None,
    "publish_pull_request": PULL_REQUEST,
    "lint_with_ruff": scanned("lint", "ruff"),
    "lint_by_command": scanned("lint", "eslint"),
    "measure_coverage": scanned("coverage", "coverage", figures="91.2 % of lines and branches"),
    "run_load_test": scanned("load", "k6", figures="p(95) 41 ms"),
    "accept_load": None,
    "scan_secrets": scanned("secrets", "gitleaks"),
    "scan_python": scanned("static-analysis", "bandit"),
    "scan_by_rules": scanned("static-analysis", "opengrep"),
    "list_dependencies": DependencyList(
        scan=scanned("dependencies", "syft", unit="component"), bill=ref("dependencies.cdx.json")
    ),
    "scan_dependencies": scanned("dependencies", "trivy", unit="component"),
    "audit_dependencies": [
        scanned("dependencies", tool, examined=6, unit="component") for tool in ("pip-audit", "osv")
    ],
    "review_dependencies": scanned(
        "dependency-review",
        "dependency-review",
        unit="component",
        artifacts=(ref("dependencies.cdx.json"),),
    ),
    "accept_dependencies": None,
    "weigh_gates": weighed_with(),
    "merge_findings": ref("findings.sarif"),
    "package_distribution": packaged("uv", "shop-1.1.0-py3-none-any.whl", "shop-1.1.0.tar.gz"),
    "package_executable": packaged("pyinstaller", "shop"),
    "package_wordpress_plugin": packaged("wordpress", "shop.zip"),
    "package_by_command": packaged("command", "shop.tar"),
    "write_bills_of_materials": passed("14 components", "shop-1.1.0.cdx.json"),
    "plan_release": PLAN,
    "append_audit": ref("audit.jsonl"),
    "seal_audit": AuditRecord(
        record=ref("audit.jsonl"),
        sealed=True,
        bundle=ref("audit.jsonl.bundle"),
        public_key=ref("cosign.pub"),
    ),
    "check_documentation": passed("`make` ended with 0", "documentation.log"),
    "comment_on_pull_request": None,
    "decide_pull_request": None,
    "find_announcement_places": AnnouncementPlaces(
        names=("slack", "discord"),
        kinds=tuple(kind for kind in get_args(AnnouncementKind) if kind != "stage"),
        alerts=False,
    ),
    "send_announcement": Told(),
    "judge_run_alerts": Alerts(),
    "is_run_open": True,
    "report_stage_on_forge": None,
    "missed_deliveries": MissedEvents(),
    "sign_files": _signed,
    "attest_files": _attested,
    "write_checklist": ref("checklist.json"),
    "write_checksums": ref("SHA256SUMS"),
    "write_waivers": ReleasedWaivers(
        file=ReleaseFile(path="waivers.openvex.json", content=ref("waivers.openvex.json")),
        first_to_end=waiver("B602", "9999-12-31"),
    ),
    "create_tag": _tagged,
    "delete_tag": True,
    "draft_release_folder": _FOLDER,
    "publish_release_folder": _FOLDER,
    "discard_draft": True,
    "stage_on_target": None,
    "publish_on_target": _RECEIPT,
    "fetch_back": _RECEIPT,
    "take_back_from_target": "draft deleted",
    "withdraw_from_target": TakenBack(target="http", done="3 files deleted"),
    "write_withdrawal": (ReleaseFile(path="WITHDRAWAL.json", content=ref("WITHDRAWAL.json")),),
    "withdraw_release_folder": "/releases/example/shop/withdrawn/1.1.0",
    "verify_published_release": VerificationReport(
        directory=_FOLDER.directory, ok=True, signed=True, key="", summary="verified", rows=()
    ),
}
"""An answer for every activity."""
