"""The section of the release."""

from typing import Annotated, Literal

from packaging.version import InvalidVersion, Version
from pydantic import AfterValidator, Field, field_validator

from regreen.contracts.checklist import ItemName
from regreen.pipeline_file.section import Section
from regreen.pipeline_file.values import BelowRoot, Reason


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
