"""What gates say: scans with their findings, waivers, and verdicts.

A gate's tool examines and reports; it does not decide. Its activity returns a `Scan`, which may be
kept and used again. What blocks and what is waived is decided from it by `weigh_gates`, each time
anew, since waivers expire.
"""

from typing import Literal

from pydantic import Field

from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.base import Contract
from regreen.contracts.source import Workspace
from regreen.pipeline_file import Pipeline

GateName = Literal[
    "lint",
    "coverage",
    "secrets",
    "static-analysis",
    "dependencies",
    "dependency-review",
    "load",
    "packages",
]

Severity = Literal["unknown", "low", "medium", "high", "critical"]
"""`unknown` counts as the level at which the gate blocks."""

FINDINGS_IN_SCAN = 50
"""How many findings travel with a scan; the artifact holds all of them."""


class Finding(Contract):
    """One thing that a tool found."""

    tool: str
    """The tool's name without its version, such as `bandit`: the SARIF category."""
    rule: str
    """The tool's name for what it found: `B602`, `aws-access-token`, `CVE-2024-0001`."""
    severity: Severity
    path: str = ""
    """Relative to the repository's root; empty when no file is meant."""
    line: int = Field(default=0, ge=0)
    """1-based; 0 when the whole file is meant, or none."""
    subject: str = ""
    """What is meant when it is no place in a file: a package URL, a threshold, a package."""
    message: str = Field(max_length=500)
    """One line for a person. Never a secret, never source text that may hold one."""
    fingerprint: str = Field(pattern="^[0-9a-f]{32}$")
    """Of `activities/finding.py`: the same finding at another commit has the same one."""
    aliases: tuple[str, ...] = ()
    """Other names of the rule, such as the GHSA or PYSEC identifiers of a CVE."""
    confirmed_by: tuple[str, ...] = ()
    """Other tools that found the same."""

    @property
    def place(self) -> str:
        """Where it is, in a word: `shop/run.py:5` or the subject."""
        if not self.path:
            return self.subject
        return f"{self.path}:{self.line}" if self.line else self.path

    @property
    def finders(self) -> str:
        """The tools that found it, where there are several: ` (found by trivy and pip-audit)`."""
        tools = [self.tool, *self.confirmed_by]
        return f" (found by {' and '.join(tools)})" if len(tools) > 1 else ""


class Scan(Contract):
    """What one tool examined and found. A scan that does not count says why in `problem`."""

    gate: GateName
    tool: str
    """Name and version for a person: `gitleaks 8.30.1`."""
    examined: int = Field(default=0, ge=0)
    unit: str = ""
    """What was counted, in the singular: `file`, `component`, `commit`, `request`. A scan that
    examined 0 of them has failed."""
    figures: str = ""
    """What else a person wants to know in the summary: `843 lines of code`, `p(95) 41 ms`."""
    findings: tuple[Finding, ...] = Field(default=(), max_length=FINDINGS_IN_SCAN)
    """The worst ones first."""
    found: int = Field(default=0, ge=0)
    """How many there are in all."""
    all_findings: ArtifactRef | None = None
    """JSON Lines of `Finding`; None when `findings` holds them all."""
    remarks: tuple[str, ...] = ()
    """What a person should know although it is no finding, a line each."""
    problem: str = ""
    """Why the scan does not count, in one line: the gate has failed."""
    nothing_to_do: str = ""
    """Why there was nothing to examine, in one line: the gate is skipped."""
    missing_tool: str = ""
    """The tool whose absence made the gate skip."""
    repeatable: bool = True
    """Whether the same input gives the same again; False when the machine's speed had a part."""
    artifacts: tuple[ArtifactRef, ...] = ()
    """The tool's own reports, without secrets."""
    reused: str = ""
    """Where an earlier result came from, in one line; empty when the tool was run now."""


WaiverStatus = Literal["not_affected", "affected"]
"""The statuses of OpenVEX that can excuse: it does no harm, or the risk is taken for a time."""

GateState = Literal["passed", "failed", "waived", "skipped"]


class Waiver(Contract):
    """One OpenVEX statement of the repository that excuses findings, with owner and expiry."""

    rule: str
    """The rule or vulnerability that it names."""
    subject: str = ""
    """A path, glob pattern, package URL, threshold or fingerprint; empty: any."""
    status: WaiverStatus
    owner: str
    reason: str
    expires: str
    """ISO 8601 date or time, UTC. From then on it excuses nothing."""
    document: str
    """Path of the OpenVEX document in the repository."""


class WaivedFinding(Contract):
    """A finding that would block, and what excuses it."""

    finding: Finding
    waiver: Waiver


class GateVerdict(Contract):
    """What a gate says, once its scans were weighed against policy and waivers."""

    gate: GateName
    state: GateState
    """`waived`: it would have failed, and every blocking finding is excused."""
    summary: str
    """One line for a person, with tool, amount examined and the first blocking finding."""
    examined: str = ""
    """How much was examined: `12 files`, `31 components`; empty when skipped."""
    blocking: tuple[Finding, ...] = ()
    """At most 20, the worst first."""
    waived: tuple[WaivedFinding, ...] = ()
    """At most 20."""
    remarks: tuple[str, ...] = ()
    """What a person should know although it does not block, such as an expired waiver."""
    reopens: str = ""
    """ISO 8601 time at which the first applied waiver expires and the gate fails again."""
    reused: str = ""
    missing_tool: str = ""


class GateWeighing(Contract):
    """The scans of a stage that are to be weighed."""

    stage: str
    workspace: Workspace
    pipeline: Pipeline
    scans: tuple[Scan, ...]
    now: str
    """ISO 8601 time from the workflow's clock, so that a retry judges expiry in the same way."""


class WeighedGates(Contract):
    """The verdicts of a stage's gates, and what is kept of them."""

    verdicts: tuple[GateVerdict, ...]
    sarif: ArtifactRef | None = None
    """All findings of the stage, a SARIF 2.1.0 run for each tool."""
    waivers: ArtifactRef | None = None
    """JSON Lines of each `Waiver` that excuses a finding which would block; None without one."""
    score: int | None = None
    """The security score, 0 to 100; None for a stage that is not about security, and where a scan
    does not count."""
