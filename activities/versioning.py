"""The next version and the release notes, from tags and conventional commits.

Reads git objects only and runs nothing of the repository. The rules are those of
https://www.conventionalcommits.org/en/v1.0.0/ and https://semver.org/, with one more: 0.x stays
0.x, so that a breaking change there raises the minor number.
"""

import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import InvalidVersion, Version
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.artifact_store import get_file, put_bytes
from activities.git import git
from activities.git_credentials import git_credentials
from activities.heartbeat import heartbeating
from activities.workspace import private_folder
from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.release import PlanRequest, ReleasePlan
from regreen.settings import load_settings

NOTES = "RELEASE_NOTES.md"

_FIRST = Version("0.1.0")
_HEADER = re.compile(r"(?P<kind>[A-Za-z]+)(?:\((?P<scope>[^()]+)\))?(?P<mark>!)?: +(?P<text>\S.*)")
_BREAKING = re.compile(r"^BREAKING[ -]CHANGE: *(.*)", re.MULTILINE)
_SECTIONS = {"feat": "Features", "fix": "Fixes", "perf": "Performance"}
_ORDER = ("Breaking", "Features", "Fixes", "Performance", "Other")
_LISTED = 200
_LINE = 300


@dataclass(frozen=True, order=True)
class VersionTag:
    """A tag that names a version; ordered by that version."""

    version: Version
    name: str
    commit: str


@dataclass(frozen=True)
class Change:
    """One commit, read by the rules of conventional commits."""

    commit: str
    section: str
    """The heading of the notes that it stands under."""
    scope: str
    text: str
    breaking: str
    """What breaks; empty when nothing does."""


@activity.defn
async def plan_release(request: PlanRequest) -> ReleasePlan:
    """Decide the version and write the notes of a release of the workspace.

    The built package's own version wins when it is newer than the last tag; otherwise the commits
    since that tag decide. A commit that carries its tag already keeps it, unless a heal changed
    the tree. Raises non-retryable ApplicationError `ReleasePlanInvalid` for a tag prefix that git
    does not take.
    """
    return await heartbeating(_plan(request), "git: reading tags and commits")


async def _plan(request: PlanRequest) -> ReleasePlan:
    source, prefix = request.workspace.source, request.settings.tag_prefix
    await _check_prefix(prefix)
    with private_folder() as folder:
        bundle, bare = folder / "source.bundle", folder / "source.git"
        await get_file(request.workspace.source.bundle, bundle)
        await git(["init", "--quiet", "--bare", str(bare)])
        await git(["fetch", "--quiet", "--no-tags", str(bundle), "refs/*:refs/*"], cwd=bare)
        tags = await _merged_tags(bare, source.commit, prefix)
        own = [tag for tag in tags if tag.commit == source.commit]
        existing = max(own) if own and not request.workspace.patches else None
        earlier = [tag for tag in tags if existing is None or tag.version < existing.version]
        previous = max(earlier, default=None)
        changes = await _changes(bare, source.commit, previous)
        package = built_version(request.packages) or await _declared(bare, source.commit)
    if existing is not None:
        version, bump, name = existing.version, "existing", existing.name
    else:
        taken = await _taken(source.location, prefix)
        version, bump = next_version(
            None if previous is None else previous.version, changes, package, taken
        )
        name = f"{prefix}{version}"
    remarks = _remarks(version, package)
    title = f"{source.repository.rpartition('/')[2]} {version}"
    previous_name = None if previous is None else previous.name
    notes = release_notes(title, previous_name, changes, request.heals, remarks)
    return ReleasePlan(
        version=str(version),
        tag=name,
        previous_tag=previous_name,
        bump=bump,
        package_version=None if package is None else str(package),
        remarks=tuple(remarks),
        notes=await put_bytes(NOTES, notes.encode(), "text/markdown"),
    )


def read_change(commit: str, message: str) -> Change:
    """Read one commit message; one that follows no convention is under `Other`."""
    subject, _, body = message.strip().partition("\n")
    header = _HEADER.fullmatch(subject.strip())
    footer = _BREAKING.search(body)
    if header is None:
        breaking = footer[1].strip() or subject if footer else ""
        return Change(commit, "Other", "", subject.strip(), breaking)
    breaking = footer[1].strip() if footer else ""
    if not breaking and (header["mark"] or footer):
        breaking = header["text"]
    section = _SECTIONS.get(header["kind"].lower(), "Other")
    return Change(commit, section, header["scope"] or "", header["text"].strip(), breaking)


def next_version(
    previous: Version | None,
    changes: Sequence[Change],
    package: Version | None = None,
    taken: Iterable[Version] = (),
) -> tuple[Version, str]:
    """The version after `previous`, and what decided it; see `ReleasePlan.bump`.

    `package` is the package's own version. `taken` are versions whose tags exist on other
    branches; a version counted up from the commits passes them by.
    """
    if package is not None and (previous is None or package > previous):
        return package, "initial" if previous is None else "package"
    version, bump = (_FIRST, "initial") if previous is None else _bumped(previous, changes)
    while version in set(taken):
        version = Version(f"{version.major}.{version.minor}.{version.micro + 1}")
    return version, bump


def release_notes(
    title: str,
    previous_tag: str | None,
    changes: Sequence[Change],
    heals: Sequence[str] = (),
    remarks: Sequence[str] = (),
) -> str:
    """The notes in Markdown. Equal arguments give equal text."""
    count = f"{len(changes)} commit{'' if len(changes) == 1 else 's'}"
    since = f"{count} since {previous_tag}." if previous_tag else f"First release, {count}."
    lines = [f"# {_plain(title)}", "", since, *(f"\nNote: {_plain(text)}" for text in remarks)]
    if heals:
        lines += ["", "## Heals", "", *(f"- {_plain(text)}" for text in heals)]
    left = _LISTED
    for heading in _ORDER:
        if heading == "Breaking":
            found = [(change, change.breaking) for change in changes if change.breaking]
        else:
            found = [(change, change.text) for change in changes if change.section == heading]
        if not found:
            continue
        lines += ["", f"## {heading}", ""]
        for change, text in found[:left]:
            scope = f"**{_plain(change.scope)}:** " if change.scope else ""
            lines.append(f"- {scope}{_plain(text)} ({change.commit[:7]})")
        if len(found) > left:
            lines.append(f"- and {len(found) - left} more")
        left = max(0, left - len(found))
    return "\n".join(lines) + "\n"


def built_version(packages: Sequence[ArtifactRef]) -> Version | None:
    """The version in the name of the first wheel among the packages."""
    for package in packages:
        try:
            return Version(parse_wheel_filename(package.name)[1].public)
        except InvalidWheelFilename:
            continue
    return None


def _bumped(previous: Version, changes: Sequence[Change]) -> tuple[Version, str]:
    breaking = any(change.breaking for change in changes)
    if breaking and previous.major > 0:
        return Version(f"{previous.major + 1}.0.0"), "major"
    if breaking or any(change.section == "Features" for change in changes):
        return Version(f"{previous.major}.{previous.minor + 1}.0"), "minor"
    return Version(f"{previous.major}.{previous.minor}.{previous.micro + 1}"), "patch"


def _remarks(version: Version, package: Version | None) -> list[str]:
    if package is None or package == version:
        return []
    return [
        f"the package calls itself {package}, the release is {version}; "
        f"set the package's version to release under its own"
    ]


def _plain(text: str) -> str:
    """Foreign text as one line in which nothing is markup."""
    line = " ".join(text.split())
    line = line if len(line) <= _LINE else f"{line[: _LINE - 1]}…"
    return re.sub(r"([<\[\]`*\\])", r"\\\1", line)


async def _check_prefix(prefix: str) -> None:
    try:
        await git(["check-ref-format", f"refs/tags/{prefix}0"])
    except ApplicationError as error:
        raise ApplicationError(
            f"release.tag_prefix: {prefix!r} cannot begin a tag's name",
            type="ReleasePlanInvalid",
            non_retryable=True,
        ) from error


async def _merged_tags(bare: Path, commit: str, prefix: str) -> list[VersionTag]:
    listed = await git(
        ["for-each-ref", f"--merged={commit}", "refs/tags/"]
        + ["--format=%(refname:lstrip=2) %(objectname) %(*objectname)"],
        cwd=bare,
    )
    found = []
    for line in listed.decode("utf-8", "replace").splitlines():
        name, target, *peeled = line.split()
        if (version := _tagged_version(name, prefix)) is not None:
            found.append(VersionTag(version, name, peeled[0] if peeled else target))
    return found


async def _taken(location: str, prefix: str) -> list[Version]:
    credentials = await git_credentials(location, load_settings())
    listed = await git(["ls-remote", "--tags", "--refs", "--", location], env=credentials)
    names = (
        line.partition("refs/tags/")[2] for line in listed.decode(errors="replace").split("\n")
    )
    return [version for name in names if (version := _tagged_version(name, prefix)) is not None]


def _tagged_version(name: str, prefix: str) -> Version | None:
    if not name.startswith(prefix):
        return None
    try:
        version = Version(name.removeprefix(prefix))
    except InvalidVersion:
        return None
    # A pre-release is followed by its own release, which counts from the release before it.
    return None if version.is_prerelease or version.local else version


async def _changes(bare: Path, commit: str, previous: VersionTag | None) -> list[Change]:
    commits = [commit] if previous is None else [f"{previous.commit}..{commit}"]
    log = await git(["log", "-z", "--no-merges", "--format=%H%n%B", *commits, "--"], cwd=bare)
    entries = [entry for entry in log.decode("utf-8", "replace").split("\0") if entry]
    return [read_change(*entry.split("\n", 1)) for entry in entries]


async def _declared(bare: Path, commit: str) -> Version | None:
    listed = await git(["ls-tree", commit, "--", "pyproject.toml"], cwd=bare)
    if not listed.startswith(b"100"):
        return None
    text = await git(["cat-file", "blob", f"{commit}:pyproject.toml"], cwd=bare)
    try:
        project = tomllib.loads(text.decode()).get("project", {})
        return Version(Version(project["version"]).public)
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        # What cannot be read says nothing about the version; the package step says why.
        return None
