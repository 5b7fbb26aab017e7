"""Which workflows and activities each role serves, collected from the workflows' modules."""

from collections.abc import Callable
from typing import Any

from regreen.roles import Role
from workflows import heal_attempt, pipeline, release, test_stage
from workflows.stage_table import STAGES

WORKFLOWS: list[type] = [*pipeline.WORKFLOWS, *test_stage.WORKFLOWS, release.ReleaseWorkflow]


def activities_of(role: Role) -> list[Callable[..., Any]]:
    """The activities of a role, each once."""
    tables = [module.ACTIVITIES for module in (pipeline, test_stage, heal_attempt, release)]
    tables += [stage.activities for stage in STAGES]
    found = [activity for table in tables for activity in table.get(role, [])]
    return list(dict.fromkeys(found))
