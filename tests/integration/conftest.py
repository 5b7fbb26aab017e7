"""What the tests on real parts share: an environment with pytest, state of their own."""

import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer

from regreen.tools.locate import find
from tests.integration.cosign_generations import GENERATIONS, use_cosign

_BUCKET = "regreen-artifacts"


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


@pytest.fixture(params=GENERATIONS)
def generation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A generation of cosign, which signs and verifies."""
    use_cosign(request.param, monkeypatch)
    return str(request.param)


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """An S3 service on loopback."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@pytest.fixture
def s3_store(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of an artifact store in S3, which the settings name; its bucket is shared."""
    request = urllib.request.Request(f"{s3_endpoint}/{_BUCKET}", method="PUT")
    urllib.request.urlopen(request, timeout=20).close()
    url = f"s3://{_BUCKET}/runs"
    monkeypatch.setenv("REGREEN_ARTIFACTS", url)
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "any"),
        ("AWS_SECRET_ACCESS_KEY", "any"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ENDPOINT_URL", s3_endpoint),
        ("AWS_ALLOW_HTTP", "true"),
    ):
        monkeypatch.setenv(name, value)
    return url
