"""cosign 2.5, which Regreen installs, and 3.1, unpacked once into this environment."""

import sys
import tempfile
from pathlib import Path

import pytest

from regreen.tools.catalogue import describe
from regreen.tools.debian import unpack_debian_package
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
        (tools / "bin" / "cosign").symlink_to(program)
    monkeypatch.setenv("REGREEN_TOOLS", str(tools))


def _unpacked(generation: str) -> Path:
    package = next(
        each
        for each in describe("cosign").packages
        if each.version is not None and each.version.startswith(generation)
    )
    kept = Path(sys.prefix) / "share" / "regreen" / "tests" / f"cosign-{package.version}"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
            scratch, made = Path(folder) / "scratch", Path(folder) / "made"
            scratch.mkdir()
            unpack_debian_package(package, scratch, made)
            try:
                made.rename(kept)
            except OSError:
                # Another test process was first.
                assert kept.exists()
    return kept / package.binary
