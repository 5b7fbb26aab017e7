"""The four roles: each a trust boundary with a task queue of its own (`docs/decisions/0003`)."""

from typing import Literal

Role = Literal["orchestrator", "runner", "healer", "publisher"]

ROLES: tuple[Role, ...] = ("orchestrator", "runner", "healer", "publisher")


def task_queue(role: Role) -> str:
    """The task queue that workers of a role serve."""
    return f"regreen-{role}"
