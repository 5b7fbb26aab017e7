"""The section of the build stage."""

from regreen.pipeline_file.section import Section
from regreen.pipeline_file.values import Duration


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
