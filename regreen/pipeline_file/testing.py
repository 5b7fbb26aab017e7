"""The sections of the test stages and of coverage."""

from pathlib import PurePosixPath
from typing import Literal

from pydantic import ConfigDict, Field, model_validator

from regreen.pipeline_file.section import Section
from regreen.pipeline_file.values import Duration, Percent


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
