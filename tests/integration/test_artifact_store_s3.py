"""The artifact store in S3, spoken to over its real protocol with moto's server on loopback."""

from pathlib import Path

import obstore
import pytest
from obstore.store import from_url
from temporalio.exceptions import ApplicationError

from activities.artifact_store import get_bytes, get_file, put_bytes, put_file


async def test_what_is_put_comes_back_and_is_stored_once(s3_store: str, tmp_path: Path) -> None:
    first = await put_bytes("notes.md", b"the bytes", "text/markdown")
    path = tmp_path / "copy.md"
    path.write_bytes(b"the bytes")
    second = await put_file(path, "text/markdown", name="notes.md")
    assert first == second
    assert await get_bytes(first) == b"the bytes"
    fetched = tmp_path / "fetched"
    await get_file(first, fetched)
    assert fetched.read_bytes() == b"the bytes"


async def test_a_changed_object_is_noticed_when_it_is_read(s3_store: str) -> None:
    ref = await put_bytes("notes.md", b"the bytes")
    bucket = from_url(s3_store)
    await obstore.put_async(bucket, f"sha256/{ref.sha256[:2]}/{ref.sha256[2:]}", b"other bytes")
    with pytest.raises(ApplicationError, match="corrupt") as caught:
        await get_bytes(ref)
    assert (caught.value.type, caught.value.non_retryable) == ("ArtifactCorrupt", True)


async def test_a_missing_object_is_told_and_may_be_retried(s3_store: str) -> None:
    ref = await put_bytes("notes.md", b"the bytes")
    gone = ref.model_copy(update={"sha256": "0" * 64})
    with pytest.raises(ApplicationError, match="not in the store") as caught:
        await get_bytes(gone)
    assert (caught.value.type, caught.value.non_retryable) == ("ArtifactMissing", False)
