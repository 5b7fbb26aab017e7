"""What the tests on real parts share: an environment with pytest, state of their own."""

import subprocess
import sys
from pathlib import Path

import pytest

from regreen.tools.locate import find


@pytest.fixture(scope="session")
def python_environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with what Regreen puts into a repository's environment."""
    folder = tmp_path_factory.mktemp("python") / "environment"
    uv = find("uv")
    assert uv is not None
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder], check=True)
    install: list[str | Path] = [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python"]
    packages = ["pytest", "pytest-reportlog", "coverage"]
    subprocess.run([*install, folder / "bin" / "python", *packages], check=True, timeout=240)
    return folder


@pytest.fixture(scope="session")
def made_environments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the environments of repositories' code, which depend on nothing else."""
    return tmp_path_factory.mktemp("environments")


@pytest.fixture
def shared_environments(own_state: Path, made_environments: Path) -> None:
    """Environments are made once for all tests, though everything else is a test's own."""
    (own_state / "cache").mkdir(parents=True)
    (own_state / "cache" / "environments").symlink_to(made_environments)


@pytest.fixture
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder of the test's own, used by everything that asks the settings."""
    state = tmp_path / "state"
    monkeypatch.setenv("REGREEN_STATE", str(state))
    monkeypatch.delenv("REGREEN_ARTIFACTS", raising=False)
    return state
