"""The schema of `regreen.yaml`; `pipeline_reading.py` reads it.

Every key is optional. A repository without the file gets the defaults below.
"""

import difflib
import re
from pathlib import PurePosixPath
from typing import Annotated, Literal

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.version import InvalidVersion, Version
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from regreen.contracts.checklist import ItemName
from regreen.contracts.healing import HealBudget, HealerName
from regreen.guard_rules import NEVER_OPEN, RULES
from regreen.tools.catalogue import TOOLS

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")


def _parse_duration(value: object) -> object:
    if isinstance(value, str):
        match = _DURATION.fullmatch(value.strip())
        if match is None:
            raise ValueError(f"{value!r} is not a duration such as 30s, 10m, 2h or 7d")
        return float(match[1]) * _UNITS[match[2]]
    return value


Duration = Annotated[
    float,
    BeforeValidator(_parse_duration),
    Field(gt=0),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0},
                {"type": "string", "pattern": r"^\d+(\.\d+)?(ms|s|m|h|d)$"},
            ],
            "description": "seconds, or a number with a unit: 30s, 10m, 2h, 7d",
        }
    ),
]


def _check_rule(name: str) -> str:
    if name in NEVER_OPEN:
        raise ValueError(f"the rule `{name}` cannot be opened")
    if name not in RULES:
        near = difflib.get_close_matches(name, RULES, n=1, cutoff=0.5)
        hint = f"did you mean `{near[0]}`?" if near else "docs/guard.md lists them"
        raise ValueError(f"unknown rule `{name}`; {hint}")
    return name


def _check_reason(reason: str) -> str:
    if not reason.strip():
        raise ValueError("the reason must not be empty")
    return reason


Percent = Annotated[float, Field(ge=0, le=100)]
RuleName = Annotated[str, AfterValidator(_check_rule)]
Reason = Annotated[str, AfterValidator(_check_reason)]


def _check_below_root(path: str) -> str:
    parts = PurePosixPath(path).parts
    if path != "." and (not parts or parts[0] == "/" or not {"..", ".git"}.isdisjoint(parts)):
        raise ValueError(f"`{path}` has to be a path below the root")
    return path


BelowRoot = Annotated[str, AfterValidator(_check_below_root)]


_GATE_TOOLS = frozenset(
    {"coverage", "osv", "dependency-review", "pyinstaller", "wordpress", "command"}
    | {tool.name for tool in TOOLS}
)


class Section(BaseModel):
    """A part of the pipeline file. Unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class OnSection(Section):
    """Which events of a continuous-integration service start the pipeline."""

    push: tuple[str, ...] = ("*",)
    """Patterns of the branches and tags whose pushes do."""
    pull_request: tuple[str, ...] = ("*",)
    """Patterns of the branches that a pull request goes to."""
    manual: bool = True
    """Whether a person may start it there."""
    schedule: bool = True
    """Whether a schedule may."""


class BuildSection(Section):
    """How the environment of the repository's own code is made."""

    requirements: tuple[str, ...] | None = None
    """Requirement files to install. Unset: every `requirements*.txt` at the root."""
    extras: tuple[str, ...] | None = None
    """Extras of the project to install. Unset: those of dev, test, tests, testing that exist."""
    groups: tuple[str, ...] | None = None
    """Dependency groups to install. Unset: those of dev, test, tests, testing that exist."""
    network: bool = True
    """Whether the build may use the network. Tests never may."""
    timeout: Duration = 900.0


class TestSection(Section):
    """One stage of tests: run by pytest, or by a command that writes a JUnit XML report."""

    __test__ = False

    model_config = ConfigDict(
        json_schema_extra={
            "dependentSchemas": {
                "command": {
                    "required": ["report"],
                    "properties": {"paths": {"maxItems": 0}, "arguments": {"maxItems": 0}},
                },
                "report": {"required": ["command"]},
            }
        }
    )

    paths: tuple[str, ...] = ()
    """Files or folders given to pytest; empty: pytest's own choice."""
    arguments: tuple[str, ...] = ()
    """More arguments for pytest, such as `-m "not slow"`."""
    command: tuple[str, ...] = ()
    """Program and arguments that run the tests in place of pytest; no shell."""
    report: str | None = None
    """The JUnit XML files that the command writes: a path or a glob pattern from the root."""
    timeout: Duration = 600.0

    @model_validator(mode="after")
    def _check_command(self) -> "TestSection":
        if self.command and not self.report:
            raise ValueError("`command` needs `report`, the JUnit XML file that it writes")
        if self.report and not self.command:
            raise ValueError("`report` belongs to `command`, which is missing")
        unfit = [name for name in ("paths", "arguments") if getattr(self, name)]
        if self.command and unfit:
            raise ValueError(f"`{unfit[0]}` is for pytest and does not go with `command`")
        parts = PurePosixPath(self.report).parts if self.report else ("report",)
        if not parts or parts[0] == "/" or not {"..", ".git"}.isdisjoint(parts):
            raise ValueError(f"`report: {self.report}` has to be a path below the root")
        if any("**" in part and part != "**" for part in parts):
            raise ValueError(f"`report: {self.report}`: `**` stands for folders and stands alone")
        return self

    @property
    def runs_pytest(self) -> bool:
        """Whether pytest runs the tests, and not a command."""
        return not self.command

    @property
    def tool(self) -> str:
        """What runs the tests, in a word."""
        return PurePosixPath(self.command[0]).name if self.command else "pytest"


class CoverageSection(Section):
    """How much of the code the tests have to run: lines and branches, of all test stages."""

    threshold: float = Field(default=80.0, ge=0, le=100)
    """Percent of all stages together; a percentage is never rounded up to it."""
    lines: float | None = Field(default=None, ge=0, le=100)
    """Percent of the lines alone. Unset: only reported."""
    branches: float | None = Field(default=None, ge=0, le=100)
    """Percent of the branches alone. Unset: only reported."""
    stages: dict[Literal["unit", "integration", "e2e"], Percent] = Field(default_factory=dict)
    """Percent that a single stage has to run."""
    changed: float | None = Field(default=None, ge=0, le=100)
    """Percent of the lines that differ from the base. Unset: only reported."""
    omit: tuple[str, ...] = ()
    """Patterns of files that do not count."""


class LintCommandSection(Section):
    """A linter of the repository: a command that writes what it found as SARIF."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    """What messages and waivers call it."""
    command: tuple[str, ...] = Field(min_length=1)
    """Program and arguments; no shell."""
    sarif: BelowRoot
    """The file that it writes, from the root."""
    files: tuple[str, ...] = Field(min_length=1)
    """Patterns of the tracked files that it is about."""


class LintSection(Section):
    """The repository's linters."""

    tools: tuple[Literal["ruff"], ...] | None = None
    """Linters that Regreen brings. Unset: ruff where the repository configures it, or no linter."""
    commands: tuple[LintCommandSection, ...] = ()
    severity: Literal["low", "medium", "high"] = "high"
    """Findings at this severity or above fail the stage."""
    timeout: Duration = 300.0
    """For each linter."""

    @field_validator("commands")
    @classmethod
    def _named_once(
        cls, commands: tuple[LintCommandSection, ...]
    ) -> tuple[LintCommandSection, ...]:
        names = [command.name for command in commands]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two linters are called {name}")
            # Findings and waivers are told apart by the tool's name.
            if name in _GATE_TOOLS:
                raise ValueError(f"{name} is a tool of Regreen; give the linter another name")
        return commands


class ServiceSection(Section):
    """A server that is started beside the load test, in the same sandbox."""

    command: tuple[str, ...] = Field(min_length=1)
    ready: str
    """A loopback URL that answers with a status below 500 once the service is ready."""
    timeout: Duration = 30.0


class LoadStage(Section):
    """A part of the load test in which the number of virtual users moves to `target`."""

    duration: Duration
    target: int = Field(ge=0)


class LoadThresholds(Section):
    """What a load test has to keep, beside the thresholds of its script."""

    p95: Duration | None = None
    """Of the responses, 95 of 100 have to come within this."""
    error_rate: float | None = Field(default=None, ge=0, le=1)
    """The share of requests that may fail."""
    checks: float | None = Field(default=None, ge=0, le=1)
    """The share of the script's checks that has to hold."""
    throughput: float | None = Field(default=None, gt=0)
    """Requests a second that have to be served."""


class LoadSection(Section):
    """The load test: a k6 script, and the service it loads."""

    script: str
    stages: tuple[LoadStage, ...] = ()
    """In place of what the script's options say of virtual users, iterations and scenarios."""
    thresholds: LoadThresholds = Field(default_factory=LoadThresholds)
    regression: Literal["report", "fail"] = "report"
    """What it does to the stage to be worse than the accepted runs of the ref."""
    noise: float = Field(default=0.3, ge=0)
    """How much worse, as a share, is still noise."""
    service: ServiceSection | None = None
    environment: dict[str, str] = Field(default_factory=dict)
    """Variables given to the script (`__ENV`)."""
    timeout: Duration = 600.0


def _check_licence(name: str) -> str:
    try:
        known = str(canonicalize_license_expression(name))
    except InvalidLicenseExpression:
        known = ""
    if not known or re.search(r"[()]| (AND|OR) ", known):
        raise ValueError(f"`{name}` is not the identifier of one SPDX licence, such as Apache-2.0")
    return known


LicenceName = Annotated[str, AfterValidator(_check_licence)]


class LicencesSection(Section):
    """Which licences dependencies may have, by their SPDX identifiers."""

    allow: tuple[LicenceName, ...] = ()
    """Only these; a licence that is not known is none of them. Empty: any."""
    deny: tuple[LicenceName, ...] = ()
    """None of these."""


class SecuritySection(Section):
    """The security gate: secrets, static analysis and known vulnerabilities."""

    paths: tuple[str, ...] | None = None
    """Files or folders for static analysis. Unset: the repository without its tests."""
    rules: tuple[str, ...] | None = None
    """Files or folders with the repository's rules for opengrep. Unset: `.semgrep`."""
    severity: Literal["low", "medium", "high"] = "medium"
    """Findings of static analysis at this severity or above fail the stage."""
    vulnerabilities: Literal["low", "medium", "high", "critical"] = "high"
    """Known vulnerabilities of dependencies at this severity or above fail the stage."""
    database_age: Duration = 7 * 86400.0
    """Advisories older than this are as good as none: the scan fails."""
    licences: LicencesSection = Field(default_factory=LicencesSection)
    new_dependencies: Literal["report", "fail"] = "report"
    """What it does to the stage that the last accepted commit did not have a dependency."""
    score: int = Field(default=70, ge=0, le=100)
    """A security score below this is said in the summary; it decides nothing."""
    timeout: Duration = 600.0


class ExecutableSection(Section):
    """A program in one file, made by PyInstaller."""

    script: BelowRoot
    """The script that the program starts with."""
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """The file's name."""
    smoke: tuple[str, ...] = ("--version",)
    """Arguments of the run that shows that it starts."""
    pyinstaller: str = Field(default="6.22.3", pattern=r"^\d+(\.\d+)*$")
    """PyInstaller's version, installed with the repository's requirements."""


class WordPressSection(Section):
    """A WordPress plugin as a zip file."""

    folder: BelowRoot = "."
    """The folder whose PHP file has the plugin's header."""
    slug: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9-]*$")
    """Name of zip file and of the folder in it. Unset: the header's `Text Domain`."""
    exclude: tuple[str, ...] = ()
    """More patterns of files that are not shipped."""


class PackageCommandSection(Section):
    """Packages made by a command of the repository."""

    command: tuple[str, ...] = Field(min_length=1)
    """Program and arguments; no shell."""
    outputs: tuple[BelowRoot, ...] = Field(min_length=1)
    """Glob patterns of the files that it makes, from the root."""
    smoke: tuple[str, ...] = ()
    """A command that shows that they work, run in a folder with nothing but the outputs."""


class PackageSection(Section):
    """Packages: wheel and sdist where there is a build system, and what else is asked for."""

    smoke: tuple[str, ...] = ()
    """A command run where nothing but the wheel is installed. Unset: its modules are imported."""
    executable: ExecutableSection | None = None
    wordpress: WordPressSection | None = None
    commands: tuple[PackageCommandSection, ...] = ()
    reproducible: Literal["report", "required"] = "report"
    """What two builds with different bytes mean: a finding that informs, or one that blocks."""
    timeout: Duration = 600.0


class ApprovalSection(Section):
    """When a person must approve, and for how long the run waits."""

    required: Literal["healed", "always", "never"] = "healed"
    """`healed`: only when a heal changed the tree."""
    reminder: Duration = 86400.0
    """Time between reminders."""
    expires: Duration = 7 * 86400.0
    """After this long without a decision the run ends as `expired`."""
    approvals: int = Field(default=1, ge=1, le=10)
    """How many different people must approve."""
    author: Literal["allowed", "refused"] = "allowed"
    """Whether the author of the commit may decide about its run."""
    code_owners: bool = False
    """Whether only the code owners of all that the heals changed may decide."""
    moved_base: Literal["keep", "cancel", "rebase"] = "keep"
    """What a new commit on the ref does to a run that waits: nothing, it ends as `cancelled`, or
    its heals are put on the new commit and everything is verified again."""


class TargetSection(Section):
    """A place beside the release folder that a release is published to."""

    kind: Literal["github", "index", "http"]
    name: str = Field(default="", pattern=r"^[a-z0-9-]*$")
    """What messages call it. Unset: the kind."""
    repository: str = Field(default="", pattern=r"^([A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+)?$")
    """`github`: the `owner/name` that gets the release. Unset: the run's own."""
    url: str = ""
    """`index`: where twine uploads to; `http`: the folder that files are put under."""
    simple: str = ""
    """`index`: its simple API, where users fetch from."""

    @property
    def label(self) -> str:
        """What messages call it."""
        return self.name or self.kind


class ChecklistSection(Section):
    """What has to be shown before a release is published. Every item counts unless it is off."""

    off: dict[ItemName, Reason] = Field(default_factory=dict)
    """Items that do not count, each with the reason why."""
    documentation: tuple[str, ...] = ()
    """Program and arguments that check the documentation. Unset: the item does not apply."""
    migration: BelowRoot | None = None
    """Glob pattern of migration guides: a breaking release has to change one, or name one."""
    rollback: BelowRoot | None = None
    """The rollback plan, a file. Unset: the item does not apply."""


def _check_version(text: str) -> str:
    try:
        Version(text)
    except InvalidVersion:
        raise ValueError(f"{text!r} is not a version such as 2.0.0") from None
    return text


class ReleaseSection(Section):
    """A release: version from conventional commits, signed, tagged, in a release folder."""

    tag_prefix: str = "v"
    version: Annotated[str, AfterValidator(_check_version)] | None = None
    """The version to release, whatever the commits say."""
    major_on_zero: bool = False
    """Whether a breaking change of 0.x gives 1.0.0."""
    prerelease: dict[str, Literal["dev", "alpha", "beta", "rc"]] = Field(default_factory=dict)
    """Patterns of branches that make pre-releases, and what those are called."""
    paths: tuple[BelowRoot, ...] = ()
    """Folders and files: only commits that touch them count. Unset: all commits."""
    checklist: ChecklistSection = Field(default_factory=ChecklistSection)
    targets: tuple[TargetSection, ...] = ()
    """Where a release goes beside the release folder, in this order."""

    @field_validator("targets")
    @classmethod
    def _named_once(cls, targets: tuple[TargetSection, ...]) -> tuple[TargetSection, ...]:
        labels = [target.label for target in targets]
        for label in labels:
            if labels.count(label) > 1:
                raise ValueError(f"two targets are called {label}; give each a `name`")
        return targets


class ModelSection(Section):
    """What the model healer asks for in one round."""

    context_tokens: int = Field(default=20_000, ge=1_000)
    """How long a prompt may be, by an estimate that is rather too high."""
    output_tokens: int = Field(default=16_000, ge=100)
    """How long a reply may be, the model's own thinking included."""
    candidates: int = Field(default=1, ge=1, le=8)
    """Replies asked for at the same time."""


class HealSection(Section):
    """Limits of the heal loop, for each test stage."""

    budget: HealBudget = Field(default_factory=HealBudget)
    model: ModelSection = Field(default_factory=ModelSection)
    search_seconds: Duration = 120.0
    """How long one round of the search healer may look."""
    seed: int = 0
    """The search healer gives the same answer for the same seed."""
    flaky: Literal["quarantine", "fail"] = "quarantine"
    """What a test that passes when run again does to its stage."""
    upstream: Literal["heal", "fail"] = "heal"
    """What tests that were red on the parent commit already do to their stage."""
    open_paths: dict[str, Reason] = Field(default_factory=dict)
    """Glob patterns of protected paths that a heal may change, each with the reason why."""
    open_rules: dict[RuleName, Reason] = Field(default_factory=dict)
    """Rules of the guard that do not hold here, each with the reason why."""


class Pipeline(Section):
    """The whole of `regreen.yaml`."""

    version: Literal[1] = 1
    on: OnSection = Field(default_factory=OnSection)
    python: str | None = None
    """A Python version such as `3.12`. Unset: the one that Regreen runs on."""
    sandbox: Literal["required", "preferred"] = "preferred"
    """`required`: fail where bubblewrap cannot isolate, instead of falling back."""
    require: tuple[str, ...] = ()
    """Stages or tools that must not be skipped: a missing tool becomes a failure."""
    healers: tuple[HealerName, ...] = ("search", "openai")
    """Healers in the order in which they are tried; empty: no healing."""
    heal: HealSection = Field(default_factory=HealSection)
    build: BuildSection = Field(default_factory=BuildSection)
    unit: TestSection = Field(default_factory=TestSection)
    integration: TestSection | None = None
    e2e: TestSection | None = None
    lint: LintSection | None = Field(default_factory=LintSection)
    coverage: CoverageSection | None = Field(default_factory=CoverageSection)
    load: LoadSection | None = None
    security: SecuritySection | None = Field(default_factory=SecuritySection)
    package: PackageSection | None = Field(default_factory=PackageSection)
    approval: ApprovalSection = Field(default_factory=ApprovalSection)
    release: ReleaseSection | None = None

    def tests(self, stage: str) -> TestSection | None:
        """The section of a test stage; None when the repository does not have that stage."""
        section = getattr(self, stage, None)
        return section if isinstance(section, TestSection) else None
