"""Which workflows and activities each role serves, collected from the workflows' modules."""

from collections.abc import Callable
from typing import Any

from regreen.roles import Role
from workflows import (
    announcement_calls,
    announcements,
    heal_attempt,
    patch_memory,
    pipeline,
    reconcile,
    release,
    repository,
    repository_events,
    run_findings,
    test_stage,
    withdrawal,
)
from workflows.stage_table import STAGES

WORKFLOWS: list[type] = [
    *pipeline.WORKFLOWS,
    *test_stage.WORKFLOWS,
    *announcements.WORKFLOWS,
    release.ReleaseWorkflow,
    withdrawal.WithdrawalWorkflow,
    *repository.WORKFLOWS,
    *reconcile.WORKFLOWS,
]


def activities_of(role: Role) -> list[Callable[..., Any]]:
    """The activities of a role, each once."""
    modules = (
        *(pipeline, test_stage, heal_attempt, patch_memory, release, withdrawal),
        *(announcement_calls, repository_events, reconcile, run_findings),
    )
    tables = [module.ACTIVITIES for module in modules]
    tables += [stage.activities for stage in STAGES]
    found = [activity for table in tables for activity in table.get(role, [])]
    return list(dict.fromkeys(found))
