"""Reading lock files of tools: one pinned, hash-checked requirement for each distribution."""

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources

_PIN = re.compile(r"^([a-z0-9][a-z0-9.-]*)==(\S+)")


@dataclass(frozen=True)
class Pin:
    """A version, and the requirement with its digests as pip and uv read it."""

    version: str
    requirement: str


@cache
def read_pins(lock: str = "tools.lock") -> dict[str, Pin]:
    """Return the pins of a lock file beside this module by the name of the distribution."""
    text = resources.files(__package__).joinpath(lock).read_text(encoding="utf-8")
    pins: dict[str, Pin] = {}
    for block in re.split(r"\n(?=\S)", text):
        if match := _PIN.match(block):
            pins[match[1]] = Pin(version=match[2], requirement=block.rstrip() + "\n")
    return pins
