"""The section of the events that start the pipeline."""

from regreen.pipeline_file.section import Section


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
