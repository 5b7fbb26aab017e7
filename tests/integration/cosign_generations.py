"""cosign 2.5, which Regreen installs, and 3.1, unpacked once into this environment."""

from pathlib import Path

import pytest

from regreen.tools.catalogue import describe
from tests.integration.unpacked import unpacked_once
from tests.integration.wheel_project import need

GENERATIONS = ("2.5", "3.1")


def use_cosign(generation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have Regreen find this generation of cosign."""
    if generation == "2.5":
        need("cosign")
        return
    program = _unpacked(generation)
    tools = program.parents[2] / "tools"
    (tools / "bin").mkdir(parents=True, exist_ok=True)
    if not (tools / "bin" / "cosign").exists():
        (tools / "bin" / "cosign").symlink_to(program.resolve())
    monkeypatch.setenv("REGREEN_TOOLS", str(tools))


def _unpacked(generation: str) -> Path:
    package = next(
        each
        for each in describe("cosign").packages
        if each.version is not None and each.version.startswith(generation)
    )
    return unpacked_once(package, f"cosign-{package.version}") / package.binary
