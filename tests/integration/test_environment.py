"""Environments of repositories: made by uv in the sandbox, once for the same dependencies."""

import asyncio
import os
import subprocess
from pathlib import Path

import pytest

from activities.environment import EnvironmentFailed, ensure_environment
from activities.pytest_run import run_pytest
from activities.uv import uv_sandbox
from activities.workspace import checked_out
from regreen.contracts.source import Workspace
from regreen.pipeline_file import BuildSection, Pipeline, TestSection
from tests.integration.gate_repository import Files, stage_request

pytestmark = pytest.mark.usefixtures("own_state")

# A build back end of the repository's own: nothing has to be fetched to install the project.
PROJECT: Files = {
    "pyproject.toml": '[project]\nname = "shop"\nversion = "1.0"\nrequires-python = ">=3.9"\n'
    "dependencies = []\n",
    "shop.py": "PRICE = 2\n",
    "test_shop.py": "from shop import PRICE\n\ndef test_price():\n    assert PRICE == 2\n",
}


async def _workspace(folder: Path, files: Files) -> Workspace:
    return (await stage_request(folder, "unit", Pipeline(), [files])).workspace


async def _environment(workspace: Workspace, pipeline: Pipeline = Pipeline()) -> Path:  # noqa: B008
    async with checked_out(workspace) as copy:
        return await ensure_environment(workspace, pipeline, copy)


async def test_it_runs_the_repositorys_tests(tmp_path: Path) -> None:
    workspace = await _workspace(tmp_path / "shop", PROJECT)

    environment = await _environment(workspace)

    results = tmp_path / "results"
    results.mkdir()
    async with checked_out(workspace) as copy:
        report = await run_pytest(copy, environment, results, TestSection(), subject="pytest")
    assert (report.outcome, report.passed) == ("passed", 1), report.detail


async def test_the_same_dependencies_have_one_environment(tmp_path: Path) -> None:
    one = await _workspace(tmp_path / "one", PROJECT)
    other = await _workspace(tmp_path / "other", {**PROJECT, "shop.py": "PRICE = 3\n"})
    changed = await _workspace(tmp_path / "changed", {**PROJECT, "requirements.txt": "iniconfig\n"})

    first, second = await asyncio.gather(_environment(one), _environment(one))
    made = (first / ".complete").stat().st_mtime_ns

    assert first == second == await _environment(other)
    assert (first / ".complete").stat().st_mtime_ns == made
    third = await _environment(changed)
    assert third != first
    assert list(third.glob("lib/*/site-packages/iniconfig"))


async def test_repositories_share_no_environment(tmp_path: Path) -> None:
    own = await _workspace(tmp_path / "shop", PROJECT)
    source = own.source.model_copy(update={"repository": "somebody/else"})

    environment = await _environment(own)

    # Its build can have put anything there, for every other repository with the same files.
    assert await _environment(Workspace(source=source)) != environment


async def test_repositories_without_dependencies_share_one_environment(tmp_path: Path) -> None:
    own = await _workspace(tmp_path / "shop", {"shop.py": "PRICE = 2\n"})
    source = own.source.model_copy(update={"repository": "somebody/else"})

    environment = await _environment(own)

    assert await _environment(Workspace(source=source)) == environment
    caches = environment.parent.parent / "uv"
    assert [cache.name.partition("-")[0] for cache in caches.iterdir()] == ["nobody"]


def test_repositories_share_no_package_cache() -> None:
    uv, python = Path("/usr/bin/uv"), Path("/usr/bin/python3")

    caches = {
        mount.source
        for name in ("acme/shop-tools", "acme-shop/tools")
        for mount in uv_sandbox(uv, python, Pipeline(), name).mounts
        if mount.writable
    }

    assert len(caches) == 2


async def test_one_left_half_made_by_a_crash_is_made_anew(tmp_path: Path) -> None:
    workspace = await _workspace(tmp_path / "shop", PROJECT)
    environment = await _environment(workspace)
    (environment / ".complete").unlink()
    (environment / "bin" / "python").unlink()
    (environment / "leftover").write_text("x")

    assert await _environment(workspace) == environment

    assert (environment / "bin" / "python").exists()
    assert not (environment / "leftover").exists()


async def test_a_package_that_there_is_not_fails_with_its_name(tmp_path: Path) -> None:
    name = "no-such-distribution-of-regreen-tests"
    workspace = await _workspace(tmp_path / "shop", {**PROJECT, "requirements.txt": f"{name}\n"})

    with pytest.raises(EnvironmentFailed, match=name) as raised:
        await _environment(workspace)

    assert "\n" not in str(raised.value)
    assert raised.value.output is not None
    assert name in raised.value.output.read_text()


async def test_without_network_nothing_is_fetched(tmp_path: Path) -> None:
    workspace = await _workspace(tmp_path / "shop", PROJECT)

    with pytest.raises(EnvironmentFailed, match="uv pip install"):
        await _environment(workspace, Pipeline(build=BuildSection(network=False)))


async def test_an_unsupported_python_is_told(tmp_path: Path) -> None:
    text = str(PROJECT["pyproject.toml"]).replace(">=3.9", ">=3.99")
    workspace = await _workspace(tmp_path / "shop", {**PROJECT, "pyproject.toml": text})

    with pytest.raises(
        EnvironmentFailed, match=r"unsupported Python: the repository wants >=3\.99"
    ):
        await _environment(workspace)


async def test_code_that_runs_at_installation_sees_no_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "not-to-be-seen")
    files: Files = {
        "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\n'
        'backend-path = ["."]\n[project]\nname = "shop"\nversion = "1.0"\n',
        "backend.py": "import os\n\n"
        "def build_editable(*arguments):\n"
        "    raise SystemExit('sees ' + repr(sorted(os.environ)) + repr(os.listdir('/home')))\n"
        "build_wheel = build_editable\n",
        "test_shop.py": "def test_a():\n    assert 1\n",
    }
    workspace = await _workspace(tmp_path / "shop", files)

    with pytest.raises(EnvironmentFailed) as raised:
        await _environment(workspace)

    assert raised.value.output is not None
    told = raised.value.output.read_text()
    assert "sees [" in told
    assert "OPENAI_API_KEY" not in told
    assert "['sandbox']" in told


async def test_the_environment_is_not_writable_for_tests(tmp_path: Path) -> None:
    files: Files = {
        **PROJECT,
        "test_shop.py": "import sys\n\ndef test_write():\n"
        "    open(sys.prefix + '/poison', 'w').write('x')\n",
    }
    workspace = await _workspace(tmp_path / "shop", files)
    environment = await _environment(workspace)
    results = tmp_path / "results"
    results.mkdir()

    async with checked_out(workspace) as copy:
        report = await run_pytest(copy, environment, results, TestSection(), subject="pytest")

    assert report.outcome == "failed"
    assert "Read-only file system" in report.failures[0].message
    assert not (environment / "poison").exists()


async def test_its_python_is_one_of_this_machine(tmp_path: Path) -> None:
    environment = await _environment(await _workspace(tmp_path / "shop", PROJECT))

    done = subprocess.run(
        [environment / "bin" / "python", "-c", "import pytest, coverage; print('ready')"],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == "ready\n"


async def test_extras_declared_in_setup_cfg_are_installed(tmp_path: Path) -> None:
    setup = "[metadata]\nname = shop\nversion = 1.0\n[options]\npy_modules = shop\n"
    files: Files = {
        "setup.cfg": f"{setup}[options.extras_require]\ntest = idna\ndocs = attrs\n",
        "pyproject.toml": '[build-system]\nrequires = ["setuptools"]\n'
        'build-backend = "setuptools.build_meta"\n',
        "shop.py": "PRICE = 2\n",
    }

    environment = await _environment(await _workspace(tmp_path / "shop", files))

    assert list(environment.glob("lib/*/site-packages/idna"))
    assert not list(environment.glob("lib/*/site-packages/attr"))
