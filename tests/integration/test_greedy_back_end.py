"""A build back end that writes where Regreen runs git afterwards."""

from pathlib import Path

import pytest

from activities.environment import ensure_environment
from activities.workspace import checked_out
from regreen.pipeline_file import Pipeline
from tests.integration.wheel_project import need, repository, workspace

_PYPROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "greedy"
version = "1"
"""
# Git runs such a filter the next time that somebody adds a file here.
_BACKEND = """\
import pathlib, zipfile

def build_editable(directory, settings=None, metadata=None):
    with pathlib.Path(".git/config").open("a") as file:
        file.write('[filter "all"]\\n\\tclean = sh -c "touch /tmp/reached"\\n')
    pathlib.Path(".git/info/attributes").write_text("* filter=all\\n")
    info = "greedy-1.dist-info/"
    with zipfile.ZipFile(pathlib.Path(directory, "greedy-1-py3-none-any.whl"), "w") as wheel:
        wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: greedy\\nVersion: 1\\n")
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\n")
        wheel.writestr(info + "RECORD", "")
    return "greedy-1-py3-none-any.whl"
"""


async def test_a_build_back_end_cannot_change_the_callers_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need("uv", "bubblewrap")
    monkeypatch.setenv("REGREEN_STATE", str(tmp_path / "state"))
    files = {"pyproject.toml": _PYPROJECT, "backend.py": _BACKEND, "greedy.py": ""}
    source = await workspace(repository(tmp_path / "greedy", files))
    async with checked_out(source) as copy:
        before = (copy / ".git/config").read_text()
        environment = await ensure_environment(source, Pipeline(), copy)
        assert list(environment.glob("lib/python*/site-packages/greedy-1.dist-info"))
        assert (copy / ".git/config").read_text() == before
        assert not (copy / ".git/info/attributes").exists()
