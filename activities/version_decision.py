"""Which version a release gets: what a person asks for, the commit's own tag, package and commits.

docs/release.md has the order as a table for people.
"""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from packaging.version import Version

from activities.conventional_commits import Change
from activities.versioning import (
    Decision,
    VersionTag,
    next_version,
    pre_release,
    requested_version,
)
from regreen.pipeline_file import ReleaseSection


def own_tag(
    tags: Sequence[VersionTag], commit: str, ref: str, settings: ReleaseSection
) -> VersionTag | None:
    """The tag that the commit is released under already; None without one.

    A pre-release's tag counts on a branch that makes pre-releases, and when the run is about it:
    elsewhere the commit becomes what its pre-release promised.
    """
    own = [
        tag
        for tag in tags
        if tag.commit == commit
        and (
            not tag.version.is_prerelease
            or _identifier(settings, ref) is not None
            or ref.removeprefix("refs/tags/") == tag.name
        )
    ]
    found = max(own, default=None)
    if found and settings.version and Version(settings.version) != found.version:
        return None
    return found


def last_release(tags: Sequence[VersionTag], existing: VersionTag | None) -> VersionTag | None:
    """The release before this one. Pre-releases do not count: their release counts from there."""
    finals = [tag for tag in tags if not tag.version.is_prerelease]
    earlier = [tag for tag in finals if existing is None or tag.version < existing.version]
    return max(earlier, default=None)


def decide(
    settings: ReleaseSection,
    ref: str,
    existing: VersionTag | None,
    previous: VersionTag | None,
    changes: Sequence[Change],
    package: Version | None,
    taken: Sequence[Version],
) -> Decision:
    """The version, from the commits after `previous` and all versions that are `taken`.

    Raises UsageError for a version that is asked for and cannot be.
    """
    if existing is not None:
        return Decision(existing.version, "existing", f"the commit has the tag {existing.name}")
    last = None if previous is None else previous.version
    identifier = _identifier(settings, ref)
    asking = next((change for change in changes if change.release_as), None)
    if settings.version is not None:
        where = "release.version in regreen.yaml"
        version = requested_version(settings.version, where, last, taken)
        decision = Decision(version, "override", f"asked for by {where}")
    elif asking is not None:
        where = f"Release-As in commit {asking.commit[:7]}"
        version = requested_version(asking.release_as, where, last, taken)
        decision = Decision(version, "override", f"asked for by {where}", (asking,))
    else:
        finals = [version for version in taken if not version.is_prerelease]
        decision = next_version(last, changes, package, finals, settings.major_on_zero)
    if identifier is None or decision.version.is_prerelease:
        return decision
    version = pre_release(decision.version, identifier, taken)
    because = f"{decision.because}; the branch makes pre-releases"
    return Decision(version, decision.bump, because, decision.deciding)


def _identifier(settings: ReleaseSection, ref: str) -> str | None:
    """What a pre-release of the branch is called; None where it makes releases."""
    branch = ref.removeprefix("refs/heads/")
    for pattern, name in settings.prerelease.items():
        if fnmatchcase(branch, pattern):
            return name
    return None
