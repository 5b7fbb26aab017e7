import sys
from pathlib import Path

import pytest

from regreen.tools.locate import command, find, tools_directory, version


def _program(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REGREEN_TOOLS", str(tmp_path / "tools"))
    monkeypatch.setenv("PATH", str(tmp_path / "system"))
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "environment"))
    return tmp_path


def test_the_tools_folder_comes_before_the_environment_and_path(tools: Path) -> None:
    assert find("k6") is None
    on_path = _program(tools / "system" / "k6", "")
    assert find("k6") == on_path
    beside = _program(tools / "environment" / "bin" / "k6", "")
    assert find("k6") == beside
    real = _program(tools / "tools" / "packages" / "k6-9" / "bin" / "k6", "")
    link = tools / "tools" / "bin" / "k6"
    link.parent.mkdir()
    link.symlink_to(real)
    assert find("k6") == real
    assert command("k6") == [str(real)]


def test_a_file_that_cannot_be_executed_is_not_a_tool(tools: Path) -> None:
    _program(tools / "tools" / "bin" / "syft", "").chmod(0o644)
    assert find("syft") is None
    assert command("syft") is None


def test_without_a_setting_the_tools_lie_in_the_environment(
    tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REGREEN_TOOLS")
    assert tools_directory() == tools / "environment" / "share" / "regreen" / "tools"


def test_a_python_tool_runs_in_this_interpreter() -> None:
    assert command("bandit") == [sys.executable, "-m", "bandit"]
    assert version("bandit", Path(sys.executable))


def test_the_version_is_what_the_program_says(tools: Path) -> None:
    k6 = _program(tools / "k6", "echo 'k6 v1.2.3 (commit/abc)'")
    assert version("k6", k6) == "1.2.3"


@pytest.mark.parametrize("script", ["echo 'k6 v1.2.3'; exit 1", "echo something else", "kill $$"])
def test_a_program_without_a_proper_answer_has_no_version(tools: Path, script: str) -> None:
    assert version("k6", _program(tools / "k6", script)) is None
    assert version("k6", tools / "nowhere") is None


def test_an_installed_tool_has_the_version_of_its_package(tools: Path) -> None:
    cosign = _program(
        tools / "packages" / "cosign-2.5.0-2+b4" / "usr" / "bin" / "cosign",
        "echo 'GitVersion:    devel'",
    )
    assert version("cosign", cosign) == "2.5.0-2+b4"
