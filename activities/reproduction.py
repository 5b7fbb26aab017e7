"""The commands with which a person sees a heal for himself."""

import shlex
from collections.abc import Sequence

from regreen.contracts.healing import Heal
from regreen.contracts.pull_request import PullRequestContent
from regreen.markdown import block
from regreen.pipeline_file import TestSection

_TESTS = 5


def reproduction(content: PullRequestContent, heal: Heal) -> str:
    """Markdown: the failing tests red on the base, green on the branch, and the whole stage."""
    section = content.pipeline.tests(heal.stage) or TestSection()
    failing = stage_command(section, heal.failing[:_TESTS])
    commands = [
        f"git checkout {content.source.commit}",
        f"{failing}  # red",
        f"git checkout {shlex.quote(content.branch)}",
        f"{failing}  # green",
        f"{stage_command(section)}  # the whole stage, green",
    ]
    return "### Reproduce\n\nIn an environment with the repository's requirements:\n\n" + block(
        "\n".join(commands), "sh"
    )


def stage_command(section: TestSection, node_ids: Sequence[str] = ()) -> str:
    """The shell command that runs a stage's tests, or some of them, at the repository's root."""
    words = ["python", "-m", "pytest", *section.arguments, *(node_ids or section.paths)]
    # Regreen makes both the root and `src` importable; a folder that is not there does no harm.
    return f"PYTHONPATH=src {shlex.join(words)}"
