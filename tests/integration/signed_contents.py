"""Signing a few bytes as the publisher does, and asking cosign what it thinks of the signatures."""

import json
from pathlib import Path
from typing import Any

from activities.artifact_store import get_bytes, put_bytes
from activities.cosign import sign_files
from activities.cosign_check import refusal
from regreen.contracts.release import ReleaseFile, SignedFiles, SignRequest
from regreen.tools.locate import find


async def signed_contents(*contents: bytes) -> SignedFiles:
    """Sign files of these contents, `file-0` and so on."""
    files = [
        ReleaseFile(path=f"file-{number}", content=await put_bytes(f"file-{number}", content))
        for number, content in enumerate(contents)
    ]
    return await sign_files(SignRequest(files=tuple(files)))


async def bundle_of(signed: SignedFiles, number: int = 0) -> dict[str, Any]:
    """The bundle of the file with this number."""
    found: dict[str, Any] = json.loads(await get_bytes(signed.bundles[number].content))
    return found


async def cosign_refusal(
    folder: Path, signed: SignedFiles, bundle: dict[str, Any], content: bytes
) -> str | None:
    """What cosign says of a bundle, with the trusted root that came with the signatures."""
    folder.mkdir(exist_ok=True)
    assert signed.public_key is not None and signed.trusted_root is not None
    parts = {
        "key": await get_bytes(signed.public_key),
        "bundle": json.dumps(bundle).encode(),
        "content": content,
        "root": await get_bytes(signed.trusted_root),
    }
    for name, data in parts.items():
        (folder / name).write_bytes(data)
    cosign = find("cosign")
    assert cosign is not None
    return refusal(cosign, *(folder / name for name in parts))
