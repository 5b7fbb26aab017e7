"""The section of the lint stage."""

from typing import Literal

from pydantic import Field, field_validator

from regreen.pipeline_file.section import Section
from regreen.pipeline_file.values import BelowRoot, Duration
from regreen.tools.catalogue import TOOLS

_GATE_TOOLS = frozenset(
    {"coverage", "osv", "dependency-review", "pyinstaller", "wordpress", "command"}
    | {tool.name for tool in TOOLS}
)


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
