"""Bills of materials against the schemas of their specifications."""

from typing import Any

import pytest

from activities.bill_schema import schema_problem
from activities.syft import normalised_cyclonedx, normalised_spdx

PART = {
    "type": "library",
    "bom-ref": "a",
    "name": "idna",
    "version": "3",
    "purl": "pkg:pypi/idna@3",
}
CYCLONEDX: dict[str, Any] = {
    "bomFormat": "CycloneDX",
    "specVersion": "1.6",
    "version": 1,
    "metadata": {"component": {"type": "file", "name": "shop"}},
    "components": [PART | {"licenses": [{"license": {"id": "BSD-3-Clause"}}]}],
}
SPDX: dict[str, Any] = {
    "SPDXID": "SPDXRef-DOCUMENT",
    "spdxVersion": "SPDX-2.3",
    "dataLicense": "CC0-1.0",
    "name": "shop",
    "creationInfo": {"creators": ["Tool: syft-1.18.1"]},
    "packages": [{"SPDXID": "SPDXRef-a", "name": "idna", "downloadLocation": "NOASSERTION"}],
}


async def test_normalised_documents_are_valid() -> None:
    assert await schema_problem("CycloneDX 1.6", normalised_cyclonedx(CYCLONEDX)) == ""
    assert await schema_problem("SPDX 2.3", normalised_spdx(SPDX)) == ""


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"components": [{"name": "idna"}]}, "$.components[0]: 'type' is a required property"),
        ({"specVersion": "1.5"}, "not CycloneDX 1.6: it says version 1.5"),
        ({"colour": "green"}, "'colour' was unexpected"),
        # Only the list that the schema refers to knows identifiers of licences.
        (
            {"components": [PART | {"licenses": [{"license": {"id": "My-Own"}}]}]},
            "$.components[0].licenses",
        ),
    ],
)
async def test_what_is_no_valid_cyclonedx_is_told(change: dict[str, Any], reason: str) -> None:
    assert reason in await schema_problem("CycloneDX 1.6", CYCLONEDX | change)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"creationInfo": {"creators": []}}, "$.creationInfo"),
        ({"packages": [{"name": "idna"}]}, "$.packages[0]"),
        ({"spdxVersion": "SPDX-2.2"}, "not SPDX 2.3: it says version SPDX-2.2"),
    ],
)
async def test_what_is_no_valid_spdx_is_told(change: dict[str, Any], reason: str) -> None:
    assert reason in await schema_problem("SPDX 2.3", normalised_spdx(SPDX) | change)
