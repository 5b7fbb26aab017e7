"""A small project with a build back end and one dependency, committed and packed as a source."""

import subprocess
from pathlib import Path

import pytest

from activities.artifact_store import put_file
from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.source import Source, Workspace
from regreen.tools.locate import find

PYPROJECT = """\
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "tiny-shop"
version = "0.2.0"
requires-python = ">=3.11"
dependencies = ["idna>=3"]

[tool.hatch.build.targets.wheel]
packages = ["tiny_shop"]
"""

FILES = {"pyproject.toml": PYPROJECT, "tiny_shop/__init__.py": "PRICE = 3\n"}

_IDENTITY = {
    "GIT_AUTHOR_NAME": "A",
    "GIT_AUTHOR_EMAIL": "a@example.invalid",
    "GIT_AUTHOR_DATE": "1700000000 +0000",
    "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@example.invalid",
    "GIT_COMMITTER_DATE": "1700000000 +0000",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "PATH": "/usr/local/bin:/usr/bin:/bin",
}


def need(*tools: str) -> None:
    """Fail, and do not skip, when a tool that the test is about is missing."""
    for tool in tools:
        if find(tool) is None:
            pytest.fail(f"{tool} not found; `make setup` installs it")


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder with a fixed identity and time."""
    return subprocess.run(
        ["git", "-c", "init.defaultBranch=main", *arguments],
        cwd=folder,
        env=_IDENTITY,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


def repository(folder: Path, files: dict[str, str], message: str = "feat: open the shop") -> Path:
    """A repository with one commit."""
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet")
    commit(folder, files, message)
    return folder


def commit(folder: Path, files: dict[str, str], message: str) -> str:
    """Write the files, commit them and return the commit."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", message)
    return git(folder, "rev-parse", "HEAD")


async def workspace(folder: Path, *patches: ArtifactRef) -> Workspace:
    """The head of a repository as a workspace, with the tags that lead to it."""
    bundle = folder.parent / f"{folder.name}.bundle"
    git(folder, "bundle", "create", "--quiet", str(bundle), "--branches", "--tags")
    source = Source(
        repository="example/tiny-shop",
        location=str(folder),
        ref="main",
        commit=git(folder, "rev-parse", "HEAD"),
        tree=git(folder, "rev-parse", "HEAD^{tree}"),
        bundle=await put_file(bundle),
    )
    return Workspace(source=source, patches=patches)
