"""What healers, guard and verifier tell each other, and the record of an attempt."""

from typing import Literal

from pydantic import Field

from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.base import Contract
from regreen.contracts.testing import Triage

HealerName = Literal["search", "openai"]

AttemptVerdict = Literal[
    "healed",  # verified: the failing tests pass and nothing else changed
    "tests_red",  # the patch was run and tests still fail
    "refused",  # the guard refused it before anything ran
    "malformed",  # the reply could not be read as edits, nor could its one retry
    "no_patch",  # the healer found nothing to propose
    "error",  # the healer could not work: its service or its engine failed
]


class Edit(Contract):
    """One replacement of a span of a file's text. Everything outside the span stays, to the byte.

    `start` and `end` are byte offsets into the file as it lies on disk.
    """

    path: str
    start: int = Field(ge=0)
    end: int = Field(ge=0)
    replacement: bytes


class Refusal(Contract):
    """One reason of the guard for refusing a patch."""

    rule: str
    """The rule's name, as `docs/guard.md` lists it."""
    path: str
    line: int
    """1-based line in the patched file; 0 when the whole file is meant."""
    reason: str

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}" if self.line else self.path
        return f"{self.rule} at {place}: {self.reason}"


class Opened(Contract):
    """What a patch changed only because the repository's policy opens it."""

    rule: str
    path: str
    reason: str
    """The reason that the policy states."""


class Proposal(Contract):
    """What one round of one healer came back with."""

    patch: ArtifactRef | None
    explanation: str
    tokens: int = 0
    cost_usd: float = 0.0
    candidates: int = 0
    """How many candidate patches were run to get here."""


class GuardVerdict(Contract):
    """What the guard says of a patch; no refusals means that it may be run."""

    refusals: tuple[Refusal, ...] = ()
    opened: tuple[Opened, ...] = ()
    """What would have been refused without `heal.open_paths` and `heal.open_rules`."""
    normal_form: str = ""
    """A digest that patches share which change the program in the same way."""


class FailedPatch(Contract):
    """A patch that is not to be proposed again, and why."""

    healer: HealerName
    verdict: Literal["tests_red", "refused", "rejected"]
    """`rejected`: by a person."""
    reason: str
    patch: ArtifactRef
    normal_form: str = ""
    workspace: str = ""
    """Fingerprint of the workspace that it was proposed for."""
    origin: str = "an earlier run"

    def binds(self, workspace: str) -> bool:
        """Whether it must not be tried on the workspace with this fingerprint.

        On another one what was wrong may be right: only a person's word holds there.
        """
        return self.verdict == "rejected" or self.workspace == workspace


class Heal(Contract):
    """A verified patch that turned a stage green."""

    stage: str
    healer: HealerName
    explanation: str
    patch: ArtifactRef
    failing: tuple[str, ...]
    """The tests that were red before and are green after."""
    signature: str = ""
    """`failure_signature` of those tests: one pull request each."""
    normal_form: str = ""
    """That of the patch as it was proposed, before verification made it smaller."""
    attempts: int
    tokens: int
    cost_usd: float
    opened: tuple[Opened, ...] = ()
    evidence: "HealEvidence | None" = None


class Attempt(Contract):
    """The durable record of one attempt. Its number is never given twice in a stage."""

    number: int
    healer: HealerName
    verdict: AttemptVerdict
    reason: str
    explanation: str = ""
    patch: ArtifactRef | None = None
    normal_form: str = ""
    """The guard's `normal_form` of the patch."""
    candidates: int = 0
    """How many candidate patches the search healer ran, those before a crash included."""
    model: str = ""
    """The model that answered, as the service names it."""
    prompts: tuple[str, ...] = ()
    """SHA-256 of each prompt that was sent, in order."""
    tokens: int = 0
    cost_usd: float = 0.0
    seconds: float = 0.0
    opened: tuple[Opened, ...] = ()
    flaky: tuple[str, ...] = ()
    """Tests that its verification found to be flaky."""


class FailedTest(Contract):
    """How a test failed, for a person."""

    __test__ = False

    node_id: str
    exception: str
    """The exception's class name; empty when the runner did not tell."""
    message: str
    """The first line, at most 300 characters."""


class TestCounts(Contract):
    """The figures of one run of a stage's tests."""

    __test__ = False

    total: int
    passed: int
    failed: int
    skipped: int


class HealEvidence(Contract):
    """What a person needs to believe a heal."""

    failures: tuple[FailedTest, ...]
    """The tests that the heal turned green, as they failed before."""
    before: TestCounts
    """The whole stage on the unpatched source."""
    after: TestCounts
    """The whole stage on the patched tree."""
    verified: str
    """What verification ran, and what came of it."""
    triage: Triage
    attempts: tuple[Attempt, ...]
    """All attempts of the stage, the one that healed it last."""


class HealBudget(Contract):
    """Caps over all attempts of one stage."""

    attempts: int = Field(default=8, ge=0, le=8)
    tokens: int = 400_000
    cost_usd: float = 5.0
    seconds: float = 3600.0
