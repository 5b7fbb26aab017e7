"""Bills of materials with the real syft, over a really installed wheel."""

import json
import shlex
from pathlib import Path

import pytest

from activities import syft
from activities.artifact_store import get_bytes, put_bytes
from activities.packaging import package_distribution
from activities.syft import write_bills_of_materials
from regreen.contracts.release import BillOfMaterialsRequest
from regreen.contracts.run import StageRequest
from regreen.pipeline_file import Pipeline
from regreen.tools.locate import find
from tests.integration.wheel_project import FILES, need, repository, workspace


@pytest.fixture(autouse=True)
def _tools(own_state: Path) -> None:
    need("uv", "syft", "bubblewrap")


async def _request(tmp_path: Path) -> BillOfMaterialsRequest:
    source, pipeline = await workspace(repository(tmp_path / "shop", FILES)), Pipeline()
    built = await package_distribution(
        StageRequest(stage="package", workspace=source, pipeline=pipeline)
    )
    assert not built.problem
    return BillOfMaterialsRequest(workspace=source, pipeline=pipeline, wheel=built.artifacts[0])


async def test_both_formats_list_product_and_requirement_and_nothing_else(tmp_path: Path) -> None:
    request = await _request(tmp_path)
    verdict = await write_bills_of_materials(request)
    assert verdict.state == "passed", verdict.summary
    assert verdict.summary.startswith("syft: 2 components of tiny-shop 0.2.0")
    cyclonedx, spdx = verdict.artifacts
    assert cyclonedx.name == "tiny-shop-0.2.0.cdx.json"
    assert spdx.name == "tiny-shop-0.2.0.spdx.json"
    listed = json.loads(await get_bytes(cyclonedx))
    assert listed["bomFormat"] == "CycloneDX"
    assert {part["name"] for part in listed["components"]} == {"idna", "tiny-shop"}
    packages = json.loads(await get_bytes(spdx))["packages"]
    assert {"idna", "tiny-shop"} <= {part["name"] for part in packages}

    again = await write_bills_of_materials(request)
    assert again.artifacts == verdict.artifacts


async def test_documents_name_no_folder_of_this_machine(tmp_path: Path) -> None:
    verdict = await write_bills_of_materials(await _request(tmp_path))
    for document in verdict.artifacts:
        assert str(tmp_path).encode() not in await get_bytes(document)


async def test_without_syft_it_is_skipped_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = await _request(tmp_path)
    monkeypatch.setattr(syft, "find", lambda name: None)
    verdict = await write_bills_of_materials(request)
    assert (verdict.state, verdict.missing_tool) == ("skipped", "syft")
    assert verdict.summary == "skipped: syft not found, `regreen tools install`"


async def test_what_is_no_wheel_fails_to_install(tmp_path: Path) -> None:
    request = await _request(tmp_path)
    broken = await put_bytes(request.wheel.name, b"not a zip file")
    verdict = await write_bills_of_materials(request.model_copy(update={"wheel": broken}))
    assert verdict.state == "failed"
    assert verdict.summary.startswith("syft: wheel does not install")


PRODUCT = {
    "type": "library",
    "bom-ref": "shop",
    "name": "tiny-shop",
    "version": "0.2.0",
    "purl": "pkg:pypi/tiny-shop@0.2.0",
}
REQUIREMENT = PRODUCT | {"bom-ref": "idna", "name": "idna", "purl": "pkg:pypi/idna@3"}


SPOILT: tuple[tuple[list[dict[str, str]], list[str], str], ...] = (
    ([], ["Tool: syft"], "0 components examined"),
    ([PRODUCT], ["Tool: syft"], "1 of 2 installed packages examined, not idna"),
    (
        [PRODUCT, REQUIREMENT | {"type": "thing"}],
        ["Tool: syft"],
        "not valid CycloneDX 1.6: $.components[0].type: 'thing' is not one of",
    ),
    ([PRODUCT, REQUIREMENT], [], "not valid SPDX 2.3: $.creationInfo.creators"),
)


async def test_a_bill_that_is_not_whole_or_not_valid_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = await _request(tmp_path)
    broken = tmp_path / "syft"
    monkeypatch.setattr(syft, "find", lambda name: broken if name == "syft" else find(name))
    for components, creators, reason in SPOILT:
        broken.write_text(_writing(components, creators))
        broken.chmod(0o755)
        verdict = await write_bills_of_materials(request)
        assert verdict.state == "failed"
        assert verdict.summary.startswith(f"syft: {reason}")


async def test_a_lister_that_did_not_do_its_work_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = await _request(tmp_path)
    broken = tmp_path / "syft"
    monkeypatch.setattr(syft, "find", lambda name: broken if name == "syft" else find(name))
    monkeypatch.setattr(syft, "_SCAN_SECONDS", 2.0)
    for behaviour, reason in (
        ("echo crashed", "left no readable cyclonedx.json"),
        ("echo out of memory; exit 137", "failed: out of memory"),
        ("sleep 60", "did not end within 2 s"),
    ):
        broken.write_text(f"#!/bin/sh\n{behaviour}\n")
        broken.chmod(0o755)
        verdict = await write_bills_of_materials(request)
        assert (verdict.state, verdict.summary) == ("failed", f"syft: {reason}")


def _writing(components: list[dict[str, str]], creators: list[str]) -> str:
    """A program that writes these bills in the place of syft's."""
    product = {"metadata": {"component": {"name": "tiny-shop"}}, "components": components}
    cyclonedx = {"bomFormat": "CycloneDX", "specVersion": "1.6"} | product
    spdx = {
        "SPDXID": "SPDXRef-DOCUMENT",
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "name": "shop",
        "creationInfo": {"creators": creators},
    }
    return (
        "#!/bin/sh\n"
        'for A in "$@"; do case "$A" in\n'
        f"cyclonedx-json=*) echo {shlex.quote(json.dumps(cyclonedx))} > ${{A#*=}};;\n"
        f"spdx-json=*) echo {shlex.quote(json.dumps(spdx))} > ${{A#*=}};;\n"
        "esac; done\n"
    )
