"""The table of stages. A new stage is a row here, a module in `stages/` and its activity."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from regreen.contracts.run import StageReport
    from regreen.roles import Role
    from workflows.line import Line
    from workflows.stages import (
        approval,
        build,
        coverage,
        lint,
        load,
        package,
        release,
        security,
        tests,
    )


@dataclass(frozen=True)
class Stage:
    """One stage of the line."""

    name: str
    after: tuple[str, ...]
    """Stages that must have ended well before this one starts."""
    execute: Callable[[Line], Awaitable[StageReport]]
    activities: dict[Role, list[object]]
    """The activities that it calls, by the role that runs them."""
    heals: bool = False
    """Whether a run that only heals includes it."""


STAGES: tuple[Stage, ...] = (
    Stage("build", (), build.execute, build.ACTIVITIES, heals=True),
    Stage("unit", ("build",), partial(tests.execute, stage="unit"), tests.ACTIVITIES, heals=True),
    Stage("integration", ("unit",), partial(tests.execute, stage="integration"), {}, heals=True),
    Stage("e2e", ("integration",), partial(tests.execute, stage="e2e"), {}, heals=True),
    Stage("lint", ("e2e",), lint.execute, lint.ACTIVITIES),
    Stage("coverage", ("e2e",), coverage.execute, coverage.ACTIVITIES),
    Stage("load", ("e2e",), load.execute, load.ACTIVITIES),
    Stage("security", ("e2e",), security.execute, security.ACTIVITIES),
    Stage("package", ("e2e",), package.execute, package.ACTIVITIES),
    Stage(
        "approval",
        ("lint", "coverage", "load", "security", "package"),
        approval.execute,
        approval.ACTIVITIES,
    ),
    Stage("release", ("approval",), release.execute, release.ACTIVITIES),
)
