"""The artifact store: large values by the SHA-256 of their bytes, in a folder or in S3.

Writes are atomic and idempotent: the name is the content. Every read is verified.
"""

import asyncio
import hashlib
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import obstore
from obstore.store import LocalStore, ObjectStore, from_url
from temporalio.exceptions import ApplicationError

from regreen.contracts.artifacts import ArtifactRef
from regreen.settings import load_settings


async def put_bytes(
    name: str, data: bytes, media_type: str = "application/octet-stream"
) -> ArtifactRef:
    """Store bytes and return their reference."""
    digest = hashlib.sha256(data).hexdigest()
    store = open_store(load_settings().artifacts_url)
    if not await _exists(store, digest, len(data)):
        await obstore.put_async(store, _key(digest), data)
    return ArtifactRef(name=name, sha256=digest, bytes=len(data), media_type=media_type)


async def put_file(
    path: Path, media_type: str = "application/octet-stream", name: str | None = None
) -> ArtifactRef:
    """Store a file, streamed, and return its reference. A symbolic link is refused."""
    if path.is_symlink():
        raise ApplicationError(
            f"{path.name} is a symbolic link and is not stored",
            type="ArtifactRefused",
            non_retryable=True,
        )
    digest, size = await asyncio.to_thread(_digest, path)
    store = open_store(load_settings().artifacts_url)
    if not await _exists(store, digest, size):
        await obstore.put_async(store, _key(digest), path)
    return ArtifactRef(name=name or path.name, sha256=digest, bytes=size, media_type=media_type)


async def is_stored(ref: ArtifactRef) -> bool:
    """Whether the store has the artifact, by digest and size."""
    return await _exists(open_store(load_settings().artifacts_url), ref.sha256, ref.bytes)


async def get_bytes(ref: ArtifactRef) -> bytes:
    """Read an artifact.

    Raises ApplicationError `ArtifactMissing` (retryable) or `ArtifactCorrupt` (not).
    """
    store = open_store(load_settings().artifacts_url)
    try:
        data = bytes(await (await obstore.get_async(store, _key(ref.sha256))).bytes_async())
    except FileNotFoundError as error:
        raise _missing(ref) from error
    _verify(ref, hashlib.sha256(data).hexdigest())
    return data


async def get_file(ref: ArtifactRef, destination: Path) -> None:
    """Write an artifact to a file that appears only once it is complete and verified."""
    store = open_store(load_settings().artifacts_url)
    hasher = hashlib.sha256()
    partial = destination.with_name(destination.name + ".partial")
    try:
        response = await obstore.get_async(store, _key(ref.sha256))
        with partial.open("wb") as file:
            async for chunk in response.stream():
                hasher.update(chunk)
                file.write(chunk)
    except FileNotFoundError as error:
        raise _missing(ref) from error
    _verify(ref, hasher.hexdigest())
    partial.replace(destination)


def _digest(path: Path) -> tuple[str, int]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return digest, file.tell()


def local_path(ref: ArtifactRef, url: str) -> Path | None:
    """Where the artifact lies on this machine's disk, when the store is a folder."""
    parts = urlsplit(url)
    if parts.scheme != "file":
        return None
    return Path(unquote(parts.path)) / _key(ref.sha256)


def _key(digest: str) -> str:
    return f"sha256/{digest[:2]}/{digest[2:]}"


@lru_cache(maxsize=8)
def open_store(url: str) -> ObjectStore:
    """The store at a URL."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        return LocalStore(Path(unquote(parts.path)), mkdir=True)
    return from_url(url)


async def _exists(store: ObjectStore, digest: str, size: int) -> bool:
    try:
        return (await obstore.head_async(store, _key(digest)))["size"] == size
    except FileNotFoundError:
        return False


def _missing(ref: ArtifactRef) -> ApplicationError:
    return ApplicationError(
        f"artifact {ref.name} ({ref.sha256[:12]}) is not in the store", type="ArtifactMissing"
    )


def _verify(ref: ArtifactRef, digest: str) -> None:
    if digest != ref.sha256:
        raise ApplicationError(
            f"artifact {ref.name} is corrupt: expected {ref.sha256[:12]}, read {digest[:12]}",
            type="ArtifactCorrupt",
            non_retryable=True,
        )
