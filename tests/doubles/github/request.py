"""What the double's operations are given and come back with."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Asked:
    """A request that an operation was found for."""

    parameters: dict[str, str]
    """From the path."""
    query: dict[str, str]
    headers: dict[str, str]
    """By name in lower case."""
    body: Any
    """JSON as data, an upload as bytes, None without a body."""


@dataclass(frozen=True)
class Answer:
    """Status and JSON, or bytes in place of JSON."""

    status: int
    body: Any = None
    content: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    whole: bool = True
    """Whether the body is all of the answer; else what the description requires is filled in."""


def not_found() -> Answer:
    """What GitHub answers for what is not there."""
    return Answer(404, {"message": "Not Found", "documentation_url": "", "status": "404"})


def part(status: int, body: Any) -> Answer:
    """An answer of which only what matters is said."""
    return Answer(status, body, whole=False)


def invalid(code: str, name: str, *, resource: str = "Release", message: str = "") -> Answer:
    """What GitHub answers to a request that it understands and refuses."""
    error = {"resource": resource, "code": code, "field": name}
    if message:
        error["message"] = message
    return Answer(422, {"message": "Validation Failed", "documentation_url": "", "errors": [error]})
