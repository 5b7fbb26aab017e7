"""The plan of a release: version, notes, steps, and what has changed since the last one."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.version import Version
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.artifact_store import get_bytes, get_file, put_file
from activities.conventional_commits import Change
from activities.git import git
from activities.heartbeat import heartbeating
from activities.release_documents import release_documents
from activities.release_history import (
    Difference,
    changes_since,
    check_prefix,
    declared_version,
    difference,
    is_python,
    merged_tags,
    taken_versions,
    touches,
)
from activities.release_notes import NOTES, release_notes
from activities.version_decision import decide, last_release, own_tag
from activities.versioning import Decision, VersionTag, built_version, spelled
from activities.workspace import private_folder
from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.release_plan import PlanRequest, ReleaseChanges, ReleasePlan
from regreen.errors import UsageError
from regreen.pipeline_file import ReleaseSection
from regreen.printable import one_line_of
from regreen.release_steps import planned_steps
from regreen.settings import load_settings

_LISTED = 20
_DECIDING = 10
_LINE = 200

Store = Callable[[Path, str], Awaitable[ArtifactRef]]
"""Keeps a file of a media type."""


@dataclass(frozen=True)
class PlanSubject:
    """The commit that a release is planned of."""

    repository: Path
    """A git repository that has the commit and the tags that lead to it; it is only read."""
    location: str
    """Where all tags are: a path or a clone URL."""
    name: str
    """`owner/name`."""
    ref: str
    commit: str
    package: Version | None = None
    """Version of what was built, where something was."""
    heals: tuple[str, ...] = ()
    waivers: tuple[str, ...] = ()
    patched: bool = False
    """Whether heals changed the tree, so that it is no longer the commit's."""
    healed: bool = False
    """Whether one of them changed something below the release's paths."""


@activity.defn
async def plan_release(request: PlanRequest) -> ReleasePlan:
    """Decide the version of a release of the workspace, and say what it would do.

    Reads git objects only. A commit that carries its tag already keeps it, unless a heal changed
    the tree. Raises non-retryable ApplicationError `ReleasePlanInvalid` for a tag prefix that git
    does not take, and for a version that is asked for and cannot be.
    """
    return await heartbeating(_plan(request), "git: reading tags and commits")


async def _plan(request: PlanRequest) -> ReleasePlan:
    source, paths = request.workspace.source, request.settings.paths
    with private_folder() as folder:
        bundle, bare = folder / "source.bundle", folder / "source.git"
        await get_file(source.bundle, bundle)
        await git(["init", "--quiet", "--bare", str(bare)])
        await git(["fetch", "--quiet", "--no-tags", str(bundle), "refs/*:refs/*"], cwd=bare)
        healed = bool(request.workspace.patches)
        if paths:
            patches = [await get_bytes(patch) for patch in request.workspace.patches]
            healed = any([await touches(bare, patch, paths) for patch in patches])
        subject = PlanSubject(
            repository=bare,
            location=source.location,
            name=source.repository,
            ref=source.ref,
            commit=source.commit,
            package=built_version(request.packages),
            heals=request.heals,
            waivers=request.waivers,
            patched=bool(request.workspace.patches),
            healed=healed,
        )
        return await planned(subject, request.settings, folder, put_file)


async def planned(
    subject: PlanSubject, settings: ReleaseSection, folder: Path, store: Store
) -> ReleasePlan:
    """The plan; notes and diff are written to `folder` and given to `store`.

    Raises ApplicationError as `plan_release` does.
    """
    await check_prefix(settings.tag_prefix)
    repository, commit = subject.repository, subject.commit
    tags = await merged_tags(repository, commit, settings.tag_prefix)
    existing = None if subject.patched else own_tag(tags, commit, subject.ref, settings)
    previous = last_release(tags, existing)
    changes = await changes_since(repository, commit, previous, settings.paths)
    package = subject.package or await declared_version(repository, commit)
    nothing = ""
    if existing is None and settings.version is None:
        nothing = _nothing(subject, settings, previous, changes)
    if nothing:
        decision = Decision(previous.version if previous else Version("0"), "none", nothing)
    else:
        taken = await taken_versions(subject.location, settings.tag_prefix)
        decision = _decided(settings, subject.ref, existing, previous, changes, package, taken)
    remarks = [] if nothing else _remarks(decision.version, package, settings)
    text = spelled(decision.version, package is not None or await is_python(repository, commit))
    tag = existing.name if existing else f"{settings.tag_prefix}{text}"
    notes = folder / NOTES
    title = f"{subject.name.rpartition('/')[2]} {text}"
    since = None if previous is None else previous.name
    written = release_notes(title, since, changes, subject.heals, remarks, subject.waivers)
    notes.write_text(written, "utf-8")
    differing = None
    if previous is not None:
        differing = await difference(repository, previous, commit, settings.paths, folder)
    breaking = [change.breaking for change in changes if change.breaking and previous]
    chosen = load_settings()
    documents = await release_documents(
        repository,
        commit,
        settings.checklist,
        decision.version,
        breaking,
        [file.path for file in differing.files] if differing else [],
    )
    return ReleasePlan(
        version=text,
        tag=tag,
        previous_tag=since,
        bump=decision.bump,
        because=decision.because,
        deciding=_lines(decision.deciding, _DECIDING),
        package_version=None if package is None else str(package),
        remarks=tuple(remarks),
        notes=await store(notes, "text/markdown"),
        prerelease=decision.version.is_prerelease,
        breaking=tuple(_one_line(each) for each in breaking[:_DECIDING]),
        steps=planned_steps(settings, subject.name, text, tag, chosen.rekor_url, chosen.fulcio_url),
        changes=None if differing is None else await _told(changes, differing, store),
        documents=documents,
        nothing=nothing,
    )


def _nothing(
    subject: PlanSubject,
    settings: ReleaseSection,
    previous: VersionTag | None,
    changes: Sequence[Change],
) -> str:
    if not settings.paths or changes or subject.healed:
        return ""
    since = f"since {previous.name} " if previous else ""
    return f"no commit {since}touches {', '.join(settings.paths)}"


def _decided(
    settings: ReleaseSection,
    ref: str,
    existing: VersionTag | None,
    previous: VersionTag | None,
    changes: Sequence[Change],
    package: Version | None,
    taken: Sequence[Version],
) -> Decision:
    try:
        return decide(settings, ref, existing, previous, changes, package, taken)
    except UsageError as error:
        raise _invalid(str(error)) from error


def _remarks(version: Version, package: Version | None, settings: ReleaseSection) -> list[str]:
    """What a person should know of the package's own version.

    Raises ApplicationError `ReleasePlanInvalid` for one that an index would take for the release.
    """
    if package is None or package == version:
        return []
    if version.is_prerelease and any(target.kind == "index" for target in settings.targets):
        raise _invalid(
            f"the package calls itself {package}, and an index would hold the pre-release {version}"
            f" as that; set the package's version to {version}"
        )
    return [
        f"the package calls itself {package}, the release is {version}; "
        f"set the package's version to release under its own"
    ]


def _invalid(message: str) -> ApplicationError:
    return ApplicationError(message, type="ReleasePlanInvalid", non_retryable=True)


async def _told(changes: Sequence[Change], differing: Difference, store: Store) -> ReleaseChanges:
    largest = sorted(
        differing.files, key=lambda file: -((file.insertions or 0) + (file.deletions or 0))
    )
    return ReleaseChanges(
        commits=_lines(changes, _LISTED),
        commit_count=len(changes),
        files=tuple(
            file.model_copy(update={"path": _one_line(file.path)}) for file in largest[:_LISTED]
        ),
        file_count=len(differing.files),
        insertions=sum(file.insertions or 0 for file in differing.files),
        deletions=sum(file.deletions or 0 for file in differing.files),
        diff=await store(differing.text, "text/x-diff"),
    )


def _lines(changes: Sequence[Change], most: int) -> tuple[str, ...]:
    return tuple(_one_line(f"{each.commit[:7]} {each.subject}") for each in changes[:most])


def _one_line(text: str) -> str:
    line = one_line_of(text)
    return line if len(line) <= _LINE else f"{line[: _LINE - 1]}…"
