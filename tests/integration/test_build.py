"""The build stage: the environment is made and every source file compiled."""

import os
from pathlib import Path

import pytest
from temporalio.testing import ActivityEnvironment

from activities.build import build_environment
from regreen.contracts.run import StageVerdict
from regreen.pipeline_file import Pipeline
from tests.integration.gate_repository import Files, stage_request

pytestmark = pytest.mark.usefixtures("own_state")


async def _built(folder: Path, files: Files) -> StageVerdict:
    request = await stage_request(folder / "repository", "build", Pipeline(), [files])
    return await ActivityEnvironment().run(build_environment, request)


async def test_sources_in_any_encoding_and_with_any_name_compile(tmp_path: Path) -> None:
    files: Files = {
        "windows.py": b"def f(x):\r\n\treturn x\r\n",
        "latin.py": "# coding: latin-1\nNAME = 'café'\n".encode("latin-1"),
        "größe.py": "größe = 1\n",
        os.fsdecode(b"caf\xe9.py"): "PRICE = 1\n",
        "tests/data/broken.py": "def broken(:\n",
    }

    verdict = await _built(tmp_path, files)

    assert (verdict.state, verdict.summary) == ("passed", "environment ready, 4 files compiled")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("shop.py", b"def total(:\n", "compile: shop.py:1: "),
        ("shop.py", b"NAME = 'caf\xe9'\n", "compile: shop.py:"),
        (os.fsdecode(b"caf\xe9.py"), b"def total(:\n", "compile: caf\\udce9.py:1: "),
    ],
)
async def test_a_source_that_does_not_compile(
    name: str, content: bytes, said: str, tmp_path: Path
) -> None:
    verdict = await _built(tmp_path, {name: content, "other.py": "A = 1\n"})

    assert verdict.state == "failed"
    assert verdict.summary.startswith(said)


async def test_a_build_back_end_that_hangs_is_ended_and_named(tmp_path: Path) -> None:
    files: Files = {
        "pyproject.toml": "[build-system]\nrequires = []\nbuild-backend = 'stuck'\n"
        "backend-path = ['.']\n\n[project]\nname = 'stuck'\nversion = '1'\n",
        "stuck.py": "import time\n\n\ndef build_editable(*_):\n    time.sleep(10_000)\n",
    }
    pipeline = Pipeline.model_validate({"build": {"timeout": "5s"}})
    request = await stage_request(tmp_path / "repository", "build", pipeline, [files])

    verdict = await ActivityEnvironment().run(build_environment, request)

    assert verdict.state == "failed"
    assert verdict.summary.endswith("(after 5 s)")
    assert "\n" not in verdict.summary


async def test_a_build_back_end_that_ends_well_and_makes_nothing(tmp_path: Path) -> None:
    files: Files = {
        "pyproject.toml": "[build-system]\nrequires = []\nbuild-backend = 'idle'\n"
        "backend-path = ['.']\n\n[project]\nname = 'idle'\nversion = '1'\n",
        "idle.py": "import os\n\n\ndef build_editable(*_):\n"
        "    print('\\x00\\x1b[31mgarbage')\n    os._exit(0)\n",
    }

    verdict = await _built(tmp_path, files)

    assert verdict.state == "failed"
    assert verdict.summary.isprintable()
