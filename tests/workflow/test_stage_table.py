"""The tables that wire the line: stages in a possible order, every activity with its one role."""

import ast
import importlib
from collections.abc import Callable, Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pytest

from regreen.roles import ROLES, Role
from tests.workflow.sample_answers import ALL_GREEN
from workers.registry import activities_of
from workflows.stage_table import STAGES

Calls = list[tuple[Role, Callable[..., Any]]]


def _modules(room: str) -> Iterator[Any]:
    # Not with pkgutil, which does not enter folders without an `__init__.py`.
    root = Path(__file__).parents[2]
    for path in sorted((root / room).rglob("*.py")):
        yield importlib.import_module(".".join(path.relative_to(root).with_suffix("").parts))


def _calls(module: Any) -> Calls:
    """The activities that a workflow module's code calls, each with the role that it names."""
    calls: Calls = []
    for node in ast.walk(ast.parse(Path(module.__file__).read_text("utf-8"))):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
            continue
        if node.func.id == "call":
            role, activity = node.args[:2]
            assert isinstance(role, ast.Constant) and isinstance(activity, ast.Name)
            calls.append((role.value, getattr(module, activity.id)))  # type: ignore[arg-type]
        elif node.func.id == "call_publisher" and isinstance(node.args[0], ast.Name):
            # Of the release, whose role is always the publisher.
            calls.append(("publisher", getattr(module, node.args[0].id)))
    return calls


CALLS = {module.__name__: _calls(module) for module in _modules("workflows")}
CALLING = sorted(name for name, calls in CALLS.items() if calls)


def test_every_stage_waits_only_for_stages_before_it() -> None:
    after = {stage.name: set(stage.after) for stage in STAGES}
    assert len(after) == len(STAGES)
    assert set().union(*after.values()) <= set(after)
    # Raises CycleError when the stages wait for each other.
    assert set(TopologicalSorter(after).static_order()) == set(after)


def test_what_heals_does_not_wait_for_what_is_left_out_of_healing() -> None:
    heals = {stage.name for stage in STAGES if stage.heals}
    assert all(set(stage.after) <= heals for stage in STAGES if stage.heals)


def test_every_activity_is_served_by_exactly_one_role() -> None:
    served = [activity for role in ROLES for activity in activities_of(role)]
    assert len(served) == len(set(served))
    names = [activity.__name__ for activity in served]
    assert len(names) == len(set(names))
    defined = {
        value
        for module in _modules("activities")
        for value in vars(module).values()
        if hasattr(value, "__temporal_activity_definition")
    }
    assert defined == set(served)


def test_the_orchestrator_serves_no_activity() -> None:
    assert activities_of("orchestrator") == []


@pytest.mark.parametrize("module", CALLING)
def test_each_call_goes_to_a_role_that_serves_it(module: str) -> None:
    for role, activity in CALLS[module]:
        assert activity in activities_of(role), f"{role} does not serve {activity.__name__}"


def test_no_activity_is_served_that_no_workflow_calls() -> None:
    called = {activity.__name__ for calls in CALLS.values() for _, activity in calls}
    served = {activity.__name__ for role in ROLES for activity in activities_of(role)}
    assert served == called


def test_the_fakes_answer_for_every_activity() -> None:
    served = {activity.__name__ for role in ROLES for activity in activities_of(role)}
    assert served == set(ALL_GREEN)
