"""Understanding the repository that a person names, before a run is started."""

import hashlib
import re
import shutil
from pathlib import Path

from temporalio.exceptions import ApplicationError

from activities.git import git
from activities.interpreter import find_interpreter
from activities.source import read_pipeline
from regreen.contracts.run import PipelineRequest
from regreen.errors import UsageError
from regreen.pipeline_file import Pipeline

_TEST_FILE = re.compile(r"(^|/)(test_[^/]*|[^/]*_test)\.py$")
_REMOTE = re.compile(r"(?:://|^[\w.-]+@[\w.-]+:).*?([\w.-]+)/([\w.-]+?)(?:\.git)?/?$")


async def resolve(path: Path, ref: str) -> tuple[PipelineRequest, Pipeline, bool]:
    """What to run for a repository on disk, its pipeline, and whether its tree is dirty.

    Raises UsageError for all that would make a run senseless: no repository, no such ref, no
    tests, a pipeline file that does not parse, an unsupported Python.
    """
    if shutil.which("git") is None:
        raise UsageError("git not found; install it")
    if not path.is_dir():
        raise UsageError(f"{path}: no such folder")
    try:
        top = (await git(["rev-parse", "--show-toplevel"], cwd=path)).decode().strip()
    except ApplicationError as error:
        if "work tree" in error.message:
            raise UsageError(f"{path} has no working tree; name a clone that has one") from error
        raise UsageError(f"{path} is not a git repository; run `git init` and commit") from error
    root = Path(top)
    shallow = await git(["rev-parse", "--is-shallow-repository"], cwd=root)
    if shallow.strip() == b"true":
        raise UsageError(f"{root} is a shallow clone; run `git fetch --unshallow` first")
    commit = await _commit(root, ref)
    pipeline = await read_pipeline(root, commit)
    listed = (await git(["ls-tree", "-r", "-z", "--name-only", commit], cwd=root)).decode(
        "utf-8", "surrogateescape"
    )
    files = [name for name in listed.split("\0") if name]
    await _check_tests(root, commit, pipeline, files)
    text = None
    if "pyproject.toml" in files:
        blob = await git(["cat-file", "blob", f"{commit}:pyproject.toml"], cwd=root)
        text = blob.decode("utf-8", "replace")
    await find_interpreter(pipeline, text)
    dirty = bool(await git(["status", "--porcelain"], cwd=root))
    request = PipelineRequest(
        repository=await _name(root),
        location=str(root),
        ref=await _branch(root) if ref == "HEAD" else ref,
        commit=commit,
    )
    return request, pipeline, dirty


async def _commit(root: Path, ref: str) -> str:
    try:
        found = await git(
            ["rev-parse", "--verify", "--end-of-options", f"{ref}^{{commit}}"], cwd=root
        )
    except ApplicationError as error:
        if ref == "HEAD":
            raise UsageError(f"{root} has no commit yet; commit first") from error
        branches = await git(
            ["for-each-ref", "--format=%(refname:short)", "refs/heads", "--count=5"], cwd=root
        )
        known = ", ".join(branches.decode().split()) or "none"
        raise UsageError(f"unknown ref `{ref}`; branches here: {known}") from error
    return found.decode().strip()


async def _branch(root: Path) -> str:
    try:
        name = await git(["symbolic-ref", "--quiet", "--short", "HEAD"], cwd=root)
    except ApplicationError:
        return "HEAD"
    return name.decode().strip()


async def _check_tests(root: Path, commit: str, pipeline: Pipeline, files: list[str]) -> None:
    for stage in ("unit", "integration", "e2e"):
        section = pipeline.tests(stage)
        for path in section.paths if section else ():
            name = path.partition("::")[0].rstrip("/")
            if not any(each == name or each.startswith(f"{name}/") for each in files):
                raise UsageError(f"{stage}: `{path}` is not in commit {commit[:12]}")
    chosen = pipeline.unit.paths or pipeline.unit.command
    if not any(_TEST_FILE.search(name) for name in files) and not chosen:
        # A repository can name its tests as it likes in its pytest configuration.
        configured = [name for name in ("pytest.ini", "tox.ini", "setup.cfg") if name in files]
        if not configured and not await _names_tests(root, commit, files):
            raise UsageError(
                f"no tests found in commit {commit[:12]}: no test_*.py or *_test.py; "
                "name them under `unit: paths:` in regreen.yaml"
            )


async def _names_tests(root: Path, commit: str, files: list[str]) -> bool:
    if "pyproject.toml" not in files:
        return False
    text = await git(["cat-file", "blob", f"{commit}:pyproject.toml"], cwd=root)
    return b"python_files" in text or b"--doctest" in text


async def _name(root: Path) -> str:
    """`owner/name` from the remote `origin`, else made from the path."""
    try:
        url = (await git(["remote", "get-url", "origin"], cwd=root)).decode().strip()
    except ApplicationError:
        url = ""
    match = _REMOTE.search(url)
    if match and not url.startswith("file:"):
        return f"{match[1]}/{match[2]}"
    digest = hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:6]
    name = re.sub(r"[^\w.-]+", "-", root.resolve().name) or "repository"
    return f"local/{name}-{digest}"
