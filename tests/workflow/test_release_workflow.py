"""ReleaseWorkflow: order, retries, taking back before the pivot, going forwards after it."""

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
from temporalio import activity
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ActivityError, ApplicationError, CancelledError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.artifact_store import put_bytes
from activities.release_folder import publish_release_folder
from activities.release_verification import verify_release
from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.checklist import Checklist, ChecklistItem
from regreen.contracts.release import (
    Attestations,
    AttestRequest,
    CertificateIdentity,
    ChecksumRequest,
    FolderReceipt,
    FolderRequest,
    PublishedRelease,
    ReleaseFile,
    ReleaseRequest,
    SignedFiles,
    SignRequest,
    TagReceipt,
    TagRequest,
    VerificationReport,
)
from regreen.contracts.release_plan import ReleasePlan
from regreen.contracts.run import PipelineRequest, Release, RunReport, StageReport
from regreen.contracts.source import Source, Workspace
from regreen.contracts.waivers import ReleasedWaivers, WaiversRequest
from regreen.pipeline_file import ReleaseSection
from regreen.roles import task_queue
from starters.runs import waits_of_release
from tests.integration.wheel_project import FILES, git, need, repository, workspace
from tests.met_checklist import met_checklist
from tests.workflow.sample_answers import waiver
from workflows.release import ACTIVITIES, ReleaseWorkflow

SIGNED = [
    *("sign_files", "write_checklist", "sign_files", "attest_files"),
    *("write_checksums", "sign_files"),
]
ALL = [*SIGNED, "create_tag", "draft_release_folder"]
PUBLISHED = [*ALL, "publish_release_folder", "verify_published_release"]
BACK = ["discard_draft", "delete_tag"]


def _ref(name: str) -> ArtifactRef:
    return ArtifactRef(name=name, sha256=uuid.uuid5(uuid.NAMESPACE_OID, name).hex * 2, bytes=1)


class Publisher:
    """Fakes of the publisher's activities, which note their calls and fail as they are told."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.drafts: list[FolderRequest] = []
        self.attested: list[AttestRequest] = []
        self.checklists: list[Checklist] = []
        self.failures: dict[str, list[Exception]] = {}
        self.unsigned = False
        self.identity: CertificateIdentity | None = None
        self.tags: list[TagRequest] = []
        self.verified: list[PublishedRelease] = []
        self.waiver_ends = "9999-12-31"
        self.waits_in = ""
        self.waiting = asyncio.Event()
        self.release = asyncio.Event()

    async def _note(self, name: str) -> None:
        self.calls.append(name)
        if failures := self.failures.get(name):
            raise failures.pop(0)
        if self.waits_in == name:
            self.waiting.set()
            while not self.release.is_set():
                activity.heartbeat()
                await asyncio.sleep(0.05)

    @activity.defn
    async def sign_files(self, request: SignRequest) -> SignedFiles:
        await self._note("sign_files")
        if self.unsigned:
            return SignedFiles(bundles=(), public_key=None, skipped="cosign not found")
        paths = [f"{file.path}.bundle" for file in request.files]
        bundles = tuple(ReleaseFile(path=path, content=_ref(path)) for path in paths)
        if self.identity is not None:
            return SignedFiles(
                bundles=bundles,
                public_key=None,
                identity=self.identity,
                identity_file=_ref("cosign.identity"),
                trusted_root=_ref("trusted-root.json"),
            )
        return SignedFiles(bundles=bundles, public_key=_ref("cosign.pub"))

    @activity.defn
    async def attest_files(self, request: AttestRequest) -> Attestations:
        self.attested.append(request)
        await self._note("attest_files")
        paths = [f"{package.path}.provenance.sigstore.json" for package in request.packages]
        return Attestations(files=tuple(ReleaseFile(path=p, content=_ref(p)) for p in paths))

    @activity.defn
    async def write_checklist(self, checklist: Checklist) -> ArtifactRef:
        self.checklists.append(checklist)
        await self._note("write_checklist")
        return _ref("checklist.json")

    @activity.defn
    async def write_checksums(self, request: ChecksumRequest) -> ArtifactRef:
        await self._note("write_checksums")
        return _ref("SHA256SUMS")

    @activity.defn
    async def write_waivers(self, request: WaiversRequest) -> ReleasedWaivers:
        await self._note("write_waivers")
        stored = ReleaseFile(path="waivers.openvex.json", content=_ref("waivers.openvex.json"))
        return ReleasedWaivers(file=stored, first_to_end=waiver("B602", self.waiver_ends))

    @activity.defn
    async def create_tag(self, request: TagRequest) -> TagReceipt:
        self.tags.append(request)
        await self._note("create_tag")
        return TagReceipt(name=request.name, commit=request.commit, object="f" * 40, adopted=False)

    @activity.defn
    async def delete_tag(self, request: TagRequest) -> bool:
        await self._note("delete_tag")
        return True

    @activity.defn
    async def draft_release_folder(self, request: FolderRequest) -> FolderReceipt:
        self.drafts.append(request)
        await self._note("draft_release_folder")
        return FolderReceipt(directory="/draft", sums="0" * 64, adopted=False)

    @activity.defn
    async def publish_release_folder(self, request: FolderRequest) -> FolderReceipt:
        await self._note("publish_release_folder")
        return FolderReceipt(directory="/releases/1.0.0", sums="0" * 64, adopted=False)

    @activity.defn
    async def discard_draft(self, request: FolderRequest) -> bool:
        await self._note("discard_draft")
        return True

    @activity.defn
    async def verify_published_release(self, request: PublishedRelease) -> VerificationReport:
        self.verified.append(request)
        await self._note("verify_published_release")
        return VerificationReport(
            directory=request.directory, ok=True, signed=True, key="", summary="verified", rows=()
        )

    def all(self) -> list[Callable[..., Any]]:
        """The activities, to give to a worker."""
        return [
            self.sign_files,
            self.attest_files,
            self.write_checklist,
            self.write_checksums,
            self.write_waivers,
            self.create_tag,
            self.delete_tag,
            self.draft_release_folder,
            self.publish_release_folder,
            self.discard_draft,
            self.verify_published_release,
        ]


@pytest.fixture
def publisher() -> Publisher:
    return Publisher()


def _request() -> ReleaseRequest:
    source = Source(
        repository="example/shop",
        location="/repositories/shop",
        ref="main",
        commit="a" * 40,
        tree="b" * 40,
        bundle=_ref("source.bundle"),
    )
    return ReleaseRequest(
        run="pipeline/example/shop/a",
        workspace=Workspace(source=source, patches=(_ref("heal.patch"),)),
        plan=ReleasePlan(
            version="1.0.0", tag="v1.0.0", previous_tag=None, bump="initial", notes=_ref("notes")
        ),
        files=(_ref("shop-1.0.0-py3-none-any.whl"), _ref("shop-1.0.0.cdx.json")),
        commit="c" * 40,
        settings=ReleaseSection(),
        checklist=met_checklist(),
        tagged_at="2026-11-23T10:00:00+00:00",
    )


@asynccontextmanager
async def _started(
    client: Client, activities: Sequence[Callable[..., Any]], request: ReleaseRequest
) -> AsyncIterator[WorkflowHandle[ReleaseWorkflow, Release]]:
    queue = f"release-{uuid.uuid4()}"
    passed = SandboxRestrictions.default.with_passthrough_modules(
        "activities", "regreen", "workflows", "pydantic", "annotated_types"
    )
    orchestrator = Worker(
        client,
        task_queue=queue,
        workflows=[ReleaseWorkflow],
        workflow_runner=SandboxedWorkflowRunner(restrictions=passed),
        # The workflow is forgotten and replayed after every step.
        max_cached_workflows=0,
    )
    publishing = Worker(
        client,
        task_queue=task_queue("publisher"),
        activities=activities,
        # An activity hears of its cancellation with its next heartbeat.
        max_heartbeat_throttle_interval=timedelta(milliseconds=100),
    )
    async with orchestrator, publishing:
        yield await client.start_workflow(
            ReleaseWorkflow.run, request, id=f"{uuid.uuid4()}/release", task_queue=queue
        )


async def _failure(handle: WorkflowHandle[ReleaseWorkflow, Release]) -> BaseException | None:
    with pytest.raises(WorkflowFailureError) as caught:
        await handle.result()
    cause = caught.value.cause
    return cause.cause if isinstance(cause, ActivityError) else cause


async def test_steps_run_in_order_and_the_folder_holds_everything(
    env: WorkflowEnvironment, publisher: Publisher
) -> None:
    async with _started(env.client, publisher.all(), _request()) as handle:
        release = await handle.result()
    assert release == Release(
        version="1.0.0",
        directory="/releases/1.0.0",
        tag="v1.0.0",
        sums="0" * 64,
        public_key=_ref("cosign.pub").sha256,
    )
    assert publisher.calls == PUBLISHED
    signed = [
        "shop-1.0.0-py3-none-any.whl",
        "shop-1.0.0.cdx.json",
        "RELEASE_NOTES.md",
        "patches/0001.patch",
        "checklist.json",
        "SHA256SUMS",
    ]
    assert {file.path for file in publisher.drafts[0].files} == {
        "cosign.pub",
        "shop-1.0.0-py3-none-any.whl.provenance.sigstore.json",
        *signed,
        *(f"{path}.bundle" for path in signed),
    }


def _signatures_off() -> ChecklistItem:
    return ChecklistItem(name="signatures", state="off", detail="a trial")


async def test_a_release_without_a_key_says_who_signed_it(
    env: WorkflowEnvironment, publisher: Publisher
) -> None:
    issuer = "https://accounts.example.org"
    publisher.identity = CertificateIdentity(identity="release@example.org", issuer=issuer)
    async with _started(env.client, publisher.all(), _request()) as handle:
        release = await handle.result()

    assert (release.public_key, release.unsigned) == ("", "")
    assert release.identity == f"release@example.org ({issuer})"
    held = {file.path for file in publisher.drafts[0].files}
    assert {"cosign.identity", "trusted-root.json", "checklist.json.bundle"} <= held
    assert "cosign.pub" not in held
    said = publisher.tags[0].message.splitlines()
    assert said[-2:] == ["Signed by: release@example.org", f"Identity provider: {issuer}"]
    [verified] = publisher.verified
    assert (verified.public_key, verified.identity) == (None, publisher.identity)
    assert verified.trusted_root == _ref("trusted-root.json")


async def test_without_cosign_the_release_is_made_unsigned_where_signatures_are_off(
    env: WorkflowEnvironment, publisher: Publisher
) -> None:
    publisher.unsigned = True
    request = _request().model_copy(update={"checklist": met_checklist(_signatures_off())})
    async with _started(env.client, publisher.all(), request) as handle:
        release = await handle.result()
    assert release.unsigned == "cosign not found"
    assert publisher.calls == [name for n, name in enumerate(PUBLISHED) if n not in (2, 3, 5)]
    paths = {file.path for file in publisher.drafts[0].files}
    assert {"SHA256SUMS", "checklist.json"} <= paths
    assert not any(path.endswith((".bundle", ".pub")) for path in paths)


async def test_what_is_not_signed_is_not_released(
    env: WorkflowEnvironment, publisher: Publisher
) -> None:
    publisher.unsigned = True
    async with _started(env.client, publisher.all(), _request()) as handle:
        failure = await _failure(handle)
    assert isinstance(failure, ApplicationError)
    assert failure.type == "ChecklistUnmet"
    assert failure.message.startswith("checklist: signatures: nothing is signed: cosign not found;")
    assert "`release.checklist.off.signatures`" in failure.message
    assert publisher.calls == ["sign_files"]


@pytest.mark.parametrize("state", ["unmet", "pending"])
async def test_an_item_without_evidence_blocks_before_the_tag(
    state: Literal["unmet", "pending"], env: WorkflowEnvironment, publisher: Publisher
) -> None:
    item = ChecklistItem(name="rollback", state=state, detail="docs/rollback.md is empty")
    request = _request().model_copy(update={"checklist": met_checklist(item)})
    async with _started(env.client, publisher.all(), request) as handle:
        failure = await _failure(handle)
    assert isinstance(failure, ApplicationError)
    assert failure.message.startswith("checklist: rollback: ")
    assert "create_tag" not in publisher.calls


async def test_the_signatures_are_evidence_and_the_provenance_tells_the_checklist(
    env: WorkflowEnvironment, publisher: Publisher
) -> None:
    async with _started(env.client, publisher.all(), _request()) as handle:
        await handle.result()
    [checklist] = publisher.checklists
    item = checklist.item("signatures")
    assert item is not None
    assert (item.state, item.detail) == ("met", "2 files signed and verified")
    bundle = "shop-1.0.0-py3-none-any.whl.bundle"
    assert item.evidence[0].name == bundle
    assert item.evidence[0].digest == _ref(bundle).sha256
    [attested] = publisher.attested
    assert attested.checklist == checklist
    assert attested.checklist_file == _ref("checklist.json")


@pytest.mark.parametrize("step", sorted(set(PUBLISHED)))
async def test_a_passing_trouble_is_tried_again_and_nothing_is_taken_back(
    step: str, env: WorkflowEnvironment, publisher: Publisher
) -> None:
    publisher.failures[step] = [RuntimeError("disk is full"), RuntimeError("disk is full")]
    async with _started(env.client, publisher.all(), _request()) as handle:
        await handle.result()
    assert Counter(publisher.calls) - Counter(PUBLISHED) == {step: 2}


async def test_a_key_that_cannot_be_used_is_a_wait_that_says_what_to_do(
    env: WorkflowEnvironment, publisher: Publisher
) -> None:
    without_key = ApplicationError("renew the token", type="SigningKeyUnavailable")
    revoked = True

    @activity.defn(name="sign_files")
    async def sign(request: SignRequest) -> SignedFiles:
        if revoked:
            raise without_key
        return await publisher.sign_files(request)

    others = [step for step in publisher.all() if step.__name__ != "sign_files"]
    async with _started(env.client, [sign, *others], _request()) as handle:
        run = PipelineRequest(repository="a/b", location="/b", ref="main", commit="c")
        report = RunReport(
            workflow_id=handle.id.removesuffix("/release"),
            run_id="1",
            state="running",
            request=run,
            stages=(StageReport(name="release", running=True),),
        )
        while not (waits := await waits_of_release(env.client, report)):
            await asyncio.sleep(0.05)
        assert waits == ["renew the token"]
        revoked = False
        assert (await handle.result()).version == "1.0.0"
    assert publisher.calls == PUBLISHED


@pytest.mark.parametrize(
    ("step", "taken_back"),
    [
        ("sign_files", []),
        ("create_tag", ["delete_tag"]),
        ("draft_release_folder", BACK),
        ("publish_release_folder", BACK),
    ],
)
async def test_what_fails_before_the_pivot_takes_back_the_last_step_first(
    step: str, taken_back: list[str], env: WorkflowEnvironment, publisher: Publisher
) -> None:
    publisher.failures[step] = [ApplicationError("no", type="Conflict", non_retryable=True)]
    async with _started(env.client, publisher.all(), _request()) as handle:
        failure = await _failure(handle)
    assert isinstance(failure, ApplicationError)
    assert failure.type == "Conflict"
    assert publisher.calls == [*PUBLISHED[: PUBLISHED.index(step) + 1], *taken_back]


async def test_a_step_that_cannot_be_taken_back_does_not_keep_the_others(
    env: WorkflowEnvironment, publisher: Publisher
) -> None:
    for step, kind in (("publish_release_folder", "ReleaseConflict"), ("discard_draft", "Stuck")):
        publisher.failures[step] = [ApplicationError("no", type=kind, non_retryable=True)]
    async with _started(env.client, publisher.all(), _request()) as handle:
        failure = await _failure(handle)
    assert isinstance(failure, ApplicationError)
    assert failure.type == "ReleaseConflict"
    assert publisher.calls[-2:] == BACK


async def test_what_fails_after_the_pivot_takes_nothing_back(
    env: WorkflowEnvironment, publisher: Publisher
) -> None:
    invalid = ApplicationError("no", type="ReleaseInvalid", non_retryable=True)
    publisher.failures["verify_published_release"] = [invalid]
    async with _started(env.client, publisher.all(), _request()) as handle:
        await _failure(handle)
    assert publisher.calls == PUBLISHED


async def test_waivers_are_told_in_the_folder_and_signed(
    env: WorkflowEnvironment, publisher: Publisher
) -> None:
    request = _request().model_copy(update={"waivers": (_ref("security.waivers.jsonl"),)})
    async with _started(env.client, publisher.all(), request) as handle:
        await handle.result()
    assert publisher.calls == ["write_waivers", *PUBLISHED]
    paths = {file.path for file in publisher.drafts[0].files}
    assert {"waivers.openvex.json", "waivers.openvex.json.bundle"} <= paths


async def test_a_waiver_that_has_ended_when_the_release_begins_ends_it(
    env: WorkflowEnvironment, publisher: Publisher
) -> None:
    publisher.waiver_ends = "2026-01-01"
    request = _request().model_copy(update={"waivers": (_ref("security.waivers.jsonl"),)})
    async with _started(env.client, publisher.all(), request) as handle:
        failure = await _failure(handle)
    assert isinstance(failure, ApplicationError)
    assert (failure.type, failure.non_retryable) == ("WaiverEnded", True)
    assert failure.message == (
        "a gate is open again: the waiver of B602 by shop team ended on 2026-01-01"
    )
    assert publisher.calls == ["write_waivers"]


async def test_a_waiver_that_ends_before_the_pivot_takes_everything_back(
    env: WorkflowEnvironment, publisher: Publisher
) -> None:
    ends = datetime.now(UTC) + timedelta(seconds=8)
    publisher.waiver_ends = ends.isoformat()

    @activity.defn(name="draft_release_folder")
    async def draft(request: FolderRequest) -> FolderReceipt:
        while datetime.now(UTC) <= ends:
            activity.heartbeat()
            await asyncio.sleep(0.05)
        return await publisher.draft_release_folder(request)

    others = [step for step in publisher.all() if step.__name__ != "draft_release_folder"]
    request = _request().model_copy(update={"waivers": (_ref("security.waivers.jsonl"),)})
    async with _started(env.client, [draft, *others], request) as handle:
        failure = await _failure(handle)
    assert isinstance(failure, ApplicationError)
    assert failure.type == "WaiverEnded"
    assert publisher.calls == ["write_waivers", *ALL, *BACK]


before_the_pivot = pytest.mark.parametrize(
    ("step", "taken_back"),
    [("sign_files", []), ("create_tag", ["delete_tag"]), ("draft_release_folder", BACK)],
)


@before_the_pivot
async def test_cancelled_before_the_pivot_takes_back(
    step: str, taken_back: list[str], env: WorkflowEnvironment, publisher: Publisher
) -> None:
    publisher.waits_in = step
    async with _started(env.client, publisher.all(), _request()) as handle:
        await publisher.waiting.wait()
        await handle.cancel()
        assert isinstance(await _failure(handle), CancelledError)
    assert publisher.calls == [*PUBLISHED[: PUBLISHED.index(step) + 1], *taken_back]


@before_the_pivot
async def test_cancelled_while_a_step_ends_no_further_one_begins(
    step: str, taken_back: list[str], env: WorkflowEnvironment, publisher: Publisher
) -> None:
    publisher.waits_in = step
    original = publisher._note

    async def deaf(name: str) -> None:
        # An activity that is done before it hears of its cancellation.
        try:
            await original(name)
        except asyncio.CancelledError:
            activity.logger.info("done anyway")

    publisher._note = deaf  # type: ignore[method-assign]
    async with _started(env.client, publisher.all(), _request()) as handle:
        await publisher.waiting.wait()
        await handle.cancel()
        assert isinstance(await _failure(handle), CancelledError)
    assert publisher.calls == [*PUBLISHED[: PUBLISHED.index(step) + 1], *taken_back]


@pytest.mark.parametrize("step", ["publish_release_folder", "verify_published_release"])
async def test_cancelled_after_the_pivot_goes_on_to_the_end(
    step: str, env: WorkflowEnvironment, publisher: Publisher
) -> None:
    publisher.waits_in = step
    async with _started(env.client, publisher.all(), _request()) as handle:
        await publisher.waiting.wait()
        await handle.cancel()
        publisher.release.set()
        assert (await handle.result()).version == "1.0.0"
    assert publisher.calls == PUBLISHED


async def test_a_name_that_no_file_can_have_fails_in_one_line(
    env: WorkflowEnvironment, publisher: Publisher
) -> None:
    request = _request().model_copy(update={"files": (_ref("../evil"),)})
    async with _started(env.client, publisher.all(), request) as handle:
        failure = await _failure(handle)
    assert isinstance(failure, ApplicationError)
    assert (failure.type, failure.message) == (
        "ReleaseRefused",
        "'../evil' cannot be a file's name in a release",
    )
    assert publisher.calls == []


async def _real_request(tmp_path: Path) -> ReleaseRequest:
    tree = await workspace(repository(tmp_path / "shop", FILES))
    return _request().model_copy(
        update={
            "workspace": tree,
            "commit": tree.source.commit,
            "files": (await put_bytes("shop-1.0.0-py3-none-any.whl", b"a wheel"),),
            "plan": _request().plan.model_copy(
                update={"notes": await put_bytes("RELEASE_NOTES.md", b"# shop\n")}
            ),
        }
    )


async def test_a_publication_whose_answer_was_lost_is_adopted(
    env: WorkflowEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need("cosign")
    monkeypatch.setenv("REGREEN_STATE", str(tmp_path / "state"))
    receipts: list[FolderReceipt] = []

    @activity.defn(name="publish_release_folder")
    async def forgetful(request: FolderRequest) -> FolderReceipt:
        receipts.append(await publish_release_folder(request))
        if len(receipts) == 1:
            raise RuntimeError("the worker died after the rename")
        return receipts[-1]

    real: list[Any] = [
        forgetful if step is publish_release_folder else step for step in ACTIVITIES["publisher"]
    ]
    request = await _real_request(tmp_path)
    async with _started(env.client, real, request) as handle:
        release = await handle.result()
    assert [receipt.adopted for receipt in receipts] == [False, True]
    assert verify_release(Path(release.directory)).signed
    assert git(tmp_path / "shop", "rev-parse", "v1.0.0^{commit}") == request.commit
    assert [path.name for path in Path(release.directory).parent.iterdir()] == ["1.0.0"]


async def test_a_conflict_leaves_neither_tag_nor_draft(
    env: WorkflowEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need("cosign")
    monkeypatch.setenv("REGREEN_STATE", str(tmp_path / "state"))
    place = tmp_path / "state" / "releases" / "example" / "tiny-shop" / "1.0.0"
    place.mkdir(parents=True)
    (place / "SHA256SUMS").write_text("another release\n")
    real: list[Any] = list(ACTIVITIES["publisher"])
    async with _started(env.client, real, await _real_request(tmp_path)) as handle:
        failure = await _failure(handle)
    assert isinstance(failure, ApplicationError)
    assert failure.type == "ReleaseConflict"
    assert git(tmp_path / "shop", "tag", "--list") == ""
    assert [path.name for path in place.parent.iterdir()] == ["1.0.0"]
    assert (place / "SHA256SUMS").read_text() == "another release\n"
