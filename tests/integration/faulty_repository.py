"""Small repositories with a fault: making them, testing them, asking for a patch."""

import os
import subprocess
from pathlib import Path
from textwrap import dedent

from activities.healing.search.engine import applied
from activities.healing.search.request import SearchRequest, SearchResult
from regreen.contracts.testing import TestFailure
from tests.integration.single_faults import Bug

GIT = ("git", "-c", "user.name=Test", "-c", "user.email=test@example.org", "-c",
       "commit.gpgsign=false")  # fmt: skip


def repository(folder: Path, files: dict[str, str | bytes]) -> Path:
    """Make a repository of these files, with one commit; text is dedented."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else dedent(content).encode())
    subprocess.run([*GIT, "init", "--quiet"], cwd=folder, check=True)
    commit(folder, "feat: begin")
    return folder


def commit(folder: Path, message: str) -> None:
    """Commit whatever has changed."""
    subprocess.run([*GIT, "add", "--all"], cwd=folder, check=True)
    subprocess.run([*GIT, "commit", "--quiet", "--message", message], cwd=folder, check=True)


def run_tests(folder: Path, environment: Path) -> subprocess.CompletedProcess[str]:
    """What anybody would do to see whether a repository is green."""
    return subprocess.run(
        [environment / "bin" / "python", "-m", "pytest", "-q", "-rf", "-p", "no:cacheprovider"],
        cwd=folder, capture_output=True, text=True, check=False,
        env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip


def failing_in(folder: Path, environment: Path) -> tuple[str, ...]:
    """The node ids of the tests that fail."""
    printed = run_tests(folder, environment).stdout
    return tuple(
        line.split(" ", 1)[1].split(" - ")[0]
        for line in printed.splitlines()
        if line.startswith("FAILED ")
    )


def patched(folder: Path, result: SearchResult) -> dict[str, bytes]:
    """Make the edits; everything outside their spans must be as before."""
    after = {}
    for path in {edit.path for edit in result.edits}:
        edits = [edit for edit in result.edits if edit.path == path]
        before = (folder / path).read_bytes()
        assert all(0 <= edit.start <= edit.end <= len(before) for edit in edits)
        after[path] = applied(before, edits)
        (folder / path).write_bytes(after[path])
    return after


def request_for(
    folder: Path, environment: Path, failing: tuple[str, ...], bug: Bug | None = None
) -> SearchRequest:
    """Ask for a patch as a test stage would, with what the bug makes the tests say."""
    failures = tuple(
        TestFailure(
            node_id=test,
            phase="call",
            exception=bug.exception if bug else "AssertionError",
            message=bug.message if bug else "",
        )
        for test in failing
    )
    return SearchRequest(folder, environment, failing, failures, seconds=60)
