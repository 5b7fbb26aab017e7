"""The next version, from tags, conventional commits and what a person asks for.

Plain rules without side effects. They are those of https://semver.org/ and
https://packaging.python.org/en/latest/specifications/version-specifiers/, with one more: 0.x stays
0.x, unless the pipeline file says otherwise.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace

from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from activities.conventional_commits import Change
from regreen.contracts.artifacts import ArtifactRef
from regreen.counted import counted
from regreen.errors import UsageError

_FIRST = Version("0.1.0")
# What the identifiers are called in Python's versions, and in `Version.pre`.
_LETTERS = {"alpha": "a", "beta": "b", "rc": "rc"}


@dataclass(frozen=True, order=True)
class VersionTag:
    """A tag that names a version; ordered by that version."""

    version: Version
    name: str
    commit: str


@dataclass(frozen=True)
class Decision:
    """A version, and what decided it."""

    version: Version
    bump: str
    """As `ReleasePlan.bump`."""
    because: str
    deciding: tuple[Change, ...] = field(default=())


def tagged_version(name: str, prefix: str) -> Version | None:
    """The version that a tag names; None for a tag with another prefix or a local version."""
    if not name.startswith(prefix):
        return None
    try:
        version = Version(name.removeprefix(prefix))
    except InvalidVersion:
        return None
    return None if version.local else version


def built_version(packages: Sequence[ArtifactRef]) -> Version | None:
    """The version in the name of the first wheel among the packages."""
    for package in packages:
        try:
            return Version(parse_wheel_filename(package.name)[1].public)
        except InvalidWheelFilename:
            continue
    return None


def next_version(
    previous: Version | None,
    changes: Sequence[Change],
    package: Version | None = None,
    taken: Iterable[Version] = (),
    major_on_zero: bool = False,
) -> Decision:
    """The version after `previous`.

    `package` is the package's own version. `taken` are versions whose tags exist on other
    branches; a version counted up from the commits passes them by.
    """
    if package is not None and (previous is None or package > previous):
        if previous is None:
            return Decision(package, "initial", f"no release before; the package says {package}")
        return Decision(package, "package", f"the package says {package}, above {previous}")
    if previous is None:
        first = _free(_FIRST, taken)
        return Decision(first, "initial", "no release before, and no version in the package")
    found = _bumped(previous, changes, major_on_zero)
    return replace(found, version=_free(found.version, taken))


def requested_version(
    text: str, where: str, previous: Version | None, taken: Collection[Version]
) -> Version:
    """The version that a person asks for at `where`, in the pipeline file or a commit.

    Raises UsageError when it is no version, lower than the last release, or released already.
    """
    try:
        version = Version(text)
    except InvalidVersion:
        raise UsageError(f"{where}: {text[:80]!r} is not a version such as 2.0.0") from None
    if version in taken or version == previous:
        raise UsageError(f"{where}: {version} is released already; raise it or take it out")
    if previous is not None and version < previous:
        raise UsageError(f"{where}: {version} is below the last release {previous}; raise it")
    return version


def pre_release(base: Version, identifier: str, taken: Iterable[Version]) -> Version:
    """The next pre-release of `base`: `identifier` is dev, alpha, beta or rc.

    It counts on from the highest among the `taken` versions.
    """
    letter = _LETTERS.get(identifier)
    numbers = [0]
    for version in taken:
        if Version(version.base_version) != Version(base.base_version):
            continue
        if letter is None and version.dev is not None and version.pre is None:
            numbers.append(version.dev)
        elif version.pre is not None and version.pre[0] == letter:
            numbers.append(version.pre[1])
    number = max(numbers) + 1
    return Version(f"{base.base_version}{letter or '.dev'}{number}")


def spelled(version: Version, python: bool) -> str:
    """The version as text: in Python's spelling, or as semver.org has it."""
    if python or not version.is_prerelease:
        return str(version)
    release = f"{version.major}.{version.minor}.{version.micro}"
    if version.pre is None:
        return f"{release}-dev.{version.dev}"
    name = next(name for name, letter in _LETTERS.items() if letter == version.pre[0])
    return f"{release}-{name}.{version.pre[1]}"


def _free(version: Version, taken: Iterable[Version]) -> Version:
    known = set(taken)
    while version in known:
        version = _numbered(version, version.major, version.minor, version.micro + 1)
    return version


def _numbered(after: Version, *numbers: int) -> Version:
    """The version with these numbers and the epoch of the one that it comes after."""
    text = ".".join(map(str, numbers))
    return Version(f"{after.epoch}!{text}" if after.epoch else text)


def _bumped(previous: Version, changes: Sequence[Change], major_on_zero: bool) -> Decision:
    breaking = tuple(change for change in changes if change.breaking)
    features = tuple(change for change in changes if change.section == "Features")
    of = f"of {counted(len(changes), 'commit')} since {previous}"
    if breaking and (previous.major > 0 or major_on_zero):
        version = _numbered(previous, previous.major + 1, 0, 0)
        because = f"{counted(len(breaking), 'breaking change')} {of}"
        return Decision(version, "major", because, breaking)
    if breaking or features:
        version = _numbered(previous, previous.major, previous.minor + 1, 0)
        if breaking:
            because = f"{counted(len(breaking), 'breaking change')} {of}, and 0.x stays 0.x"
            return Decision(version, "minor", because, breaking)
        because = f"{counted(len(features), 'feature')} {of}"
        return Decision(version, "minor", because, features)
    version = _numbered(previous, previous.major, previous.minor, previous.micro + 1)
    because = f"no feature among {counted(len(changes), 'commit')} since {previous}"
    return Decision(version, "patch", because, tuple(changes))
