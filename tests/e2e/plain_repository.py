"""Small git repositories of the tests, and proof that nobody touched them."""

import hashlib
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

SHOP_PROJECT = """[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "shop"
version = "1.0.0"
requires-python = ">=3.11"
dependencies = ["idna>=3"]
"""
"""A `pyproject.toml`: a package with one dependency."""


def git(folder: Path, *arguments: str) -> str:
    """Run git without the machine's configuration; returns what it prints."""
    environment = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.invalid")
    done = subprocess.run(
        ["git", *identity, *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.strip()


def plain_repository(folder: Path, files: Mapping[str, str]) -> Path:
    """A git repository with one commit of these files on the branch `main`."""
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "feat: begin")
    return folder


def working_state(folder: Path) -> dict[str, str]:
    """What a person has in his hands: files, index, HEAD, the branch and its commit."""
    found = {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".git" not in path.relative_to(folder).parts
    }
    found["the index"] = hashlib.sha256((folder / ".git" / "index").read_bytes()).hexdigest()
    found["HEAD"] = (folder / ".git" / "HEAD").read_text()
    found["the branch"] = git(folder, "rev-parse", "refs/heads/main")
    found["configuration"] = (folder / ".git" / "config").read_text()
    found["stash"] = git(folder, "stash", "list")
    # Without the lock: `git status` itself may refresh the index.
    found["status"] = git(folder, "--no-optional-locks", "status", "--porcelain", "--ignored")
    return found
