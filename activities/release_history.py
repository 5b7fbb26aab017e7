"""What git tells about a release: tags, commits since the last one, and the difference.

Reads git objects only and runs nothing of the repository.
"""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.version import Version
from temporalio.exceptions import ApplicationError

from activities.conventional_commits import Change, read_change
from activities.git import git
from activities.git_credentials import git_credentials
from activities.versioning import VersionTag, tagged_version
from regreen.contracts.release_plan import ChangedFile
from regreen.settings import load_settings

_LITERAL = "--literal-pathspecs"


@dataclass(frozen=True)
class Difference:
    """What differs between two commits: every file, and git's own text of it in a file."""

    files: tuple[ChangedFile, ...]
    text: Path


async def check_prefix(prefix: str) -> None:
    """Raise non-retryable ApplicationError `ReleasePlanInvalid` for no beginning of a tag."""
    try:
        await git(["check-ref-format", f"refs/tags/{prefix}0"])
    except ApplicationError as error:
        raise ApplicationError(
            f"release.tag_prefix: {prefix!r} cannot begin a tag's name",
            type="ReleasePlanInvalid",
            non_retryable=True,
        ) from error


async def merged_tags(repository: Path, commit: str, prefix: str) -> list[VersionTag]:
    """The tags that name versions and lead to the commit, pre-releases among them."""
    listed = await git(
        ["for-each-ref", f"--merged={commit}", "refs/tags/"]
        + ["--format=%(refname:lstrip=2) %(objectname) %(*objectname)"],
        cwd=repository,
    )
    found = []
    for line in listed.decode("utf-8", "replace").splitlines():
        name, target, *peeled = line.split()
        if (version := tagged_version(name, prefix)) is not None:
            found.append(VersionTag(version, name, peeled[0] if peeled else target))
    return found


async def taken_versions(location: str, prefix: str) -> list[Version]:
    """All versions that are tagged in a repository, on whatever branch."""
    credentials = await git_credentials(location, load_settings())
    listed = await git(["ls-remote", "--tags", "--refs", "--", location], env=credentials)
    names = (
        line.partition("refs/tags/")[2] for line in listed.decode(errors="replace").split("\n")
    )
    return [version for name in names if (version := tagged_version(name, prefix)) is not None]


async def changes_since(
    repository: Path, commit: str, previous: VersionTag | None, paths: Sequence[str]
) -> list[Change]:
    """The commits after the last release, newest first; with `paths` those that touch one."""
    commits = [commit] if previous is None else [f"{previous.commit}..{commit}"]
    # Without full history git leaves out commits whose effect was taken back later.
    touching = ["--full-history", *commits, "--", *paths] if paths else [*commits, "--"]
    log = await git([_LITERAL, "log", "-z", "--no-merges", "--format=%H%n%B", *touching],
                    cwd=repository)  # fmt: skip
    entries = [entry for entry in log.decode("utf-8", "replace").split("\0") if entry]
    return [read_change(*entry.split("\n", 1)) for entry in entries]


async def difference(
    repository: Path, previous: VersionTag, commit: str, paths: Sequence[str], folder: Path
) -> Difference:
    """What differs from the last release; the text of it goes to a file in `folder`."""
    between = ["--no-ext-diff", "--no-textconv", "--no-color", "--no-renames"]
    between += [previous.commit, commit, "--", *paths]
    text = folder / "release.diff"
    await git([_LITERAL, "diff", f"--output={text}", *between], cwd=repository)
    counted = await git([_LITERAL, "diff", "--numstat", "-z", *between], cwd=repository)
    files = []
    for entry in counted.decode("utf-8", "replace").split("\0"):
        if entry:
            inserted, deleted, path = entry.split("\t", 2)
            files.append(
                ChangedFile(path=path, insertions=_lines(inserted), deletions=_lines(deleted))
            )
    return Difference(tuple(files), text)


def _lines(text: str) -> int | None:
    return int(text) if text.isdigit() else None


async def touches(repository: Path, patch: bytes, paths: Sequence[str]) -> bool:
    """Whether a patch changes something below one of the paths."""
    counted = await git(["apply", "--numstat", "-z", "-"], cwd=repository, data=patch)
    changed = [
        entry.split("\t", 2)[-1]
        for entry in counted.decode("utf-8", "replace").split("\0")
        if entry
    ]
    return any(
        path in (".", name) or name.startswith(f"{path.rstrip('/')}/")
        for name in changed
        for path in paths
    )


async def is_python(repository: Path, commit: str) -> bool:
    """Whether the commit has a Python package's files at its root."""
    listed = await git(["ls-tree", commit, "--", "pyproject.toml", "setup.py"], cwd=repository)
    return bool(listed.strip())


async def declared_version(repository: Path, commit: str) -> Version | None:
    """The version in `pyproject.toml`; None where it has none."""
    listed = await git(["ls-tree", commit, "--", "pyproject.toml"], cwd=repository)
    if not listed.startswith(b"100"):
        return None
    text = await git(["cat-file", "blob", f"{commit}:pyproject.toml"], cwd=repository)
    try:
        project = tomllib.loads(text.decode()).get("project", {})
        return Version(Version(project["version"]).public)
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        # What cannot be read says nothing about the version; the package step says why.
        return None
