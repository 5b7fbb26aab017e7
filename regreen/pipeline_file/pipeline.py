"""The whole of `regreen.yaml`: its sections, and what a repository without it gets."""

from typing import Literal

from pydantic import Field

from regreen.contracts.healing import HealerName
from regreen.pipeline_file.approval import ApprovalSection
from regreen.pipeline_file.build import BuildSection
from regreen.pipeline_file.events import OnSection
from regreen.pipeline_file.healing import HealSection
from regreen.pipeline_file.lint import LintSection
from regreen.pipeline_file.load import LoadSection
from regreen.pipeline_file.package import PackageSection
from regreen.pipeline_file.release import ReleaseSection
from regreen.pipeline_file.section import Section
from regreen.pipeline_file.security import SecuritySection
from regreen.pipeline_file.testing import CoverageSection, TestSection


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
