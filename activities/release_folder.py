"""Release folders: drafted beside their place, published by one rename, never overwritten."""

import asyncio
import hashlib
import os
import re
import shutil
from pathlib import Path

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.artifact_store import get_file, put_bytes
from activities.heartbeat import heartbeating
from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.release import ChecksumRequest, FolderReceipt, FolderRequest, ReleaseFile
from regreen.settings import load_settings

SUMS = "SHA256SUMS"


@activity.defn
async def write_checksums(request: ChecksumRequest) -> ArtifactRef:
    """Store `SHA256SUMS` over the files, in the form that `sha256sum --check` reads."""
    _check_paths(request.files)
    lines = sorted((file.path, file.content.sha256) for file in request.files)
    text = "".join(f"{digest}  {path}\n" for path, digest in lines)
    return await put_bytes(SUMS, text.encode(), "text/plain")


@activity.defn
async def draft_release_folder(request: FolderRequest) -> FolderReceipt:
    """Lay the files out in a hidden folder beside the release's place, complete and on disk.

    A draft that is there already is made anew. Raises non-retryable ApplicationError
    `ReleaseRefused` for a folder or file name that cannot be.
    """
    _check_paths(request.files)
    draft, sums = _draft(request), _sums(request)
    partial = draft.with_name(f"{draft.name}.partial")
    try:
        for leftover in (partial, draft):
            await asyncio.to_thread(_remove, leftover)
        partial.mkdir(parents=True)
        for file in request.files:
            path = partial / file.path
            path.parent.mkdir(exist_ok=True)
            await heartbeating(get_file(file.content, path), file.path)
            path.chmod(0o644)
        await heartbeating(asyncio.to_thread(_flush, partial), "flush to disk")
        partial.rename(draft)
    except (PermissionError, NotADirectoryError, FileExistsError) as error:
        raise _refused(f"cannot write to {draft.parent}: {error.strerror}") from error
    return FolderReceipt(directory=str(draft), sums=sums, adopted=False)


@activity.defn
async def publish_release_folder(request: FolderRequest) -> FolderReceipt:
    """Rename the complete draft to the release's place.

    Looks first: a release with the same bytes is adopted, with other bytes it stays and
    `ReleaseConflict` (non-retryable) names both digests. A lost draft is laid out again.
    """
    place, draft, sums = release_directory(request), _draft(request), _sums(request)
    if not os.path.lexists(place):
        if not draft.is_dir():
            await draft_release_folder(request)
        try:
            draft.rename(place)
        except OSError:
            # Another run may have published meanwhile; the bytes decide.
            if not os.path.lexists(place):
                raise
        else:
            await asyncio.to_thread(_flush_entry, place.parent)
            return FolderReceipt(directory=str(place), sums=sums, adopted=False)
    found = _published_digest(place)
    if found != sums:
        raise ApplicationError(
            f"{place} holds another release: SHA256SUMS {found[:12]} is there, {sums[:12]} is new",
            type="ReleaseConflict",
            non_retryable=True,
        )
    await asyncio.to_thread(_remove, draft)
    return FolderReceipt(directory=str(place), sums=sums, adopted=True)


@activity.defn
async def discard_draft(request: FolderRequest) -> bool:
    """Remove the run's draft; True when there was one. A published folder stays."""
    draft = _draft(request)
    partial = draft.with_name(f"{draft.name}.partial")
    there = draft.exists() or partial.exists()
    for leftover in (partial, draft):
        await asyncio.to_thread(_remove, leftover)
    return there


def release_directory(request: FolderRequest) -> Path:
    """Where the release is published."""
    base = load_settings().releases_folder
    for part in request.repository.split("/"):
        name = re.sub(r"[^\w.-]+", "-", part).lstrip(".")
        if not name:
            raise _refused(f"{request.repository!r} is not a repository's name")
        base /= name
    return base / request.version


def _draft(request: FolderRequest) -> Path:
    place = release_directory(request)
    run = hashlib.sha256(request.run.encode()).hexdigest()[:12]
    return place.with_name(f".draft-{place.name}-{run}")


def _sums(request: FolderRequest) -> str:
    for file in request.files:
        if file.path == SUMS:
            return file.content.sha256
    raise _refused(f"a release folder needs {SUMS}")


def _check_paths(files: tuple[ReleaseFile, ...]) -> None:
    # Names of packages come from the repository's own build. Some disks ignore case.
    seen: dict[str, str] = {}
    for file in files:
        other = seen.setdefault(file.path.lower(), file.path)
        if other is not file.path:
            raise _refused(f"two files of the release are called {other} and {file.path}")


def _published_digest(place: Path) -> str:
    sums = place / SUMS
    if place.is_symlink() or sums.is_symlink() or not sums.is_file():
        return "(none)"
    return hashlib.sha256(sums.read_bytes()).hexdigest()


def _flush(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        _flush_entry(path)
    _flush_entry(folder)


def _flush_entry(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def _refused(message: str) -> ApplicationError:
    return ApplicationError(message, type="ReleaseRefused", non_retryable=True)
