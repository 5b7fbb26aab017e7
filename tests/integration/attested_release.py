"""A small release whose packages are attested, signed as the settings say."""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from activities.artifact_store import put_bytes
from activities.cosign import attest_files, sign_files
from activities.release_checklist import write_checklist
from activities.release_folder import (
    draft_release_folder,
    publish_release_folder,
    write_checksums,
)
from regreen.checklist import with_signatures
from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.healing import Heal
from regreen.contracts.release import (
    AttestRequest,
    ChecksumRequest,
    FolderRequest,
    ReleaseFile,
    SignRequest,
)
from regreen.contracts.release_plan import ReleasePlan
from regreen.contracts.run import Review
from regreen.contracts.source import Source, Workspace
from regreen.pipeline_file import Pipeline
from regreen.tools.locate import find
from tests.met_checklist import met_checklist
from workflows.release_signing import signer_files

WHEEL = "shop-1.0.0-py3-none-any.whl"
SDIST = "shop-1.0.0.tar.gz"
CYCLONEDX = "shop-1.0.0.cdx.json"
SPDX = "shop-1.0.0.spdx.json"
COMPONENT = {"type": "library", "name": "shop", "version": "1.0.0"}
PACKAGE = {"SPDXID": "SPDXRef-1", "name": "shop", "versionInfo": "1.0.0"}
CONTENTS = {
    WHEEL: b"a wheel",
    SDIST: b"an sdist",
    CYCLONEDX: json.dumps(
        {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [COMPONENT]}
    ).encode(),
    SPDX: json.dumps({"spdxVersion": "SPDX-2.3", "packages": [PACKAGE]}).encode(),
    "patches/0001.patch": b"--- a\n+++ b\n",
}
COMMIT = "c" * 40
PROVENANCE = f"{WHEEL}.provenance.sigstore.json"
APPROVAL = Review(reviewer="ada", decision="approve", tree="b" * 40, source="command-line")


async def attested_release(
    *,
    approvals: tuple[Review, ...] = (APPROVAL,),
    told: ArtifactRef | None = None,
    changed: Mapping[str, bytes] = MappingProxyType({}),
) -> Path:
    """A published folder; `told` is a checklist for the provenance in place of the folder's."""
    files = tuple(
        [
            ReleaseFile(path=path, content=await put_bytes(path.rpartition("/")[2], data))
            for path, data in {**CONTENTS, **changed}.items()
        ]
    )
    signatures = await sign_files(SignRequest(files=files))
    checklist = with_signatures(met_checklist(), files, signatures)
    written = await write_checklist(checklist)
    listed = ReleaseFile(path="checklist.json", content=written)
    files += (listed,)
    signed = await sign_files(SignRequest(files=files))
    request = attest_request(files, approvals).model_copy(
        update={"checklist": checklist, "checklist_file": told or written}
    )
    attested = await attest_files(request)
    assert await attest_files(request) == attested
    files += (*signed.bundles, *attested.files, *signer_files(signed))
    sums = await write_checksums(ChecksumRequest(files=files))
    listed = ReleaseFile(path="SHA256SUMS", content=sums)
    over = (await sign_files(SignRequest(files=(listed,)))).bundles
    folder = FolderRequest(
        run="run", repository="example/shop", version="1.0.0", files=(*files, listed, *over)
    )
    await draft_release_folder(folder)
    return Path((await publish_release_folder(folder)).directory)


def attest_request(files: tuple[ReleaseFile, ...], approvals: tuple[Review, ...]) -> AttestRequest:
    by_path = {file.path: file for file in files}
    patch = by_path["patches/0001.patch"].content
    nothing = ArtifactRef(name="x", sha256="0" * 64, bytes=0)
    source = Source(
        repository="example/shop",
        location="/repositories/shop",
        ref="main",
        commit=COMMIT,
        tree="a" * 40,
        bundle=nothing,
    )
    heal = Heal(
        stage="unit",
        healer="search",
        explanation="mended",
        patch=patch,
        failing=("test_shop.py::test_price",),
        attempts=1,
        tokens=0,
        cost_usd=0.0,
    )
    return AttestRequest(
        run=f"pipeline/example/shop/{COMMIT}",
        workspace=Workspace(source=source, patches=(patch,)),
        plan=ReleasePlan(
            version="1.0.0", tag="v1.0.0", previous_tag=None, bump="initial", notes=nothing
        ),
        commit="d" * 40,
        pipeline=Pipeline(),
        heals=(heal,),
        approvals=approvals,
        packages=(by_path[WHEEL], by_path[SDIST]),
        bills=(by_path[CYCLONEDX], by_path[SPDX]),
    )


def verify_by_script(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What the folder's own `verify.sh` says, with nothing but the cosign that Regreen finds."""
    cosign = find("cosign")
    assert cosign is not None
    folder = place.parent / "bin"
    folder.mkdir(exist_ok=True)
    (folder / "cosign").unlink(missing_ok=True)
    (folder / "cosign").symlink_to(cosign)
    return subprocess.run(
        ["sh", str(place / "verify.sh"), *arguments],
        env={"PATH": f"{folder}:{os.defpath}", "HOME": str(place.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
