"""The section of the package stage."""

from typing import Literal

from pydantic import Field

from regreen.pipeline_file.section import Section
from regreen.pipeline_file.values import BelowRoot, Duration


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
