"""The section of the heal loop."""

import difflib
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from regreen.contracts.healing import HealBudget
from regreen.guard_rules import NEVER_OPEN, RULES
from regreen.pipeline_file.section import Section
from regreen.pipeline_file.values import Duration, Reason


def _check_rule(name: str) -> str:
    if name in NEVER_OPEN:
        raise ValueError(f"the rule `{name}` cannot be opened")
    if name not in RULES:
        near = difflib.get_close_matches(name, RULES, n=1, cutoff=0.5)
        hint = f"did you mean `{near[0]}`?" if near else "docs/guard.md lists them"
        raise ValueError(f"unknown rule `{name}`; {hint}")
    return name


RuleName = Annotated[str, AfterValidator(_check_rule)]


class ModelSection(Section):
    """What the model healer asks for in one round."""

    context_tokens: int = Field(default=20_000, ge=1_000)
    """How long a prompt may be, by an estimate that is rather too high."""
    output_tokens: int = Field(default=16_000, ge=100)
    """How long a reply may be, the model's own thinking included."""
    candidates: int = Field(default=1, ge=1, le=8)
    """Replies asked for at the same time."""


class HealSection(Section):
    """Limits of the heal loop, for each test stage."""

    budget: HealBudget = Field(default_factory=HealBudget)
    model: ModelSection = Field(default_factory=ModelSection)
    search_seconds: Duration = 120.0
    """How long one round of the search healer may look."""
    seed: int = 0
    """The search healer gives the same answer for the same seed."""
    flaky: Literal["quarantine", "fail"] = "quarantine"
    """What a test that passes when run again does to its stage."""
    upstream: Literal["heal", "fail"] = "heal"
    """What tests that were red on the parent commit already do to their stage."""
    open_paths: dict[str, Reason] = Field(default_factory=dict)
    """Glob patterns of protected paths that a heal may change, each with the reason why."""
    open_rules: dict[RuleName, Reason] = Field(default_factory=dict)
    """Rules of the guard that do not hold here, each with the reason why."""
