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
