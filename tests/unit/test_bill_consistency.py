"""Bills of materials in two formats: what one lists and the other does not."""

from typing import Any

import pytest

from activities.bill_consistency import bill_difference

PURL = "pkg:pypi/shop@1.0.0"
COMPONENT = {"type": "library", "name": "shop", "version": "1.0.0", "purl": PURL}
PACKAGE = {
    "SPDXID": "SPDXRef-Package-shop",
    "name": "shop",
    "versionInfo": "1.0.0",
    "externalRefs": [
        {"referenceType": "cpe23Type", "referenceLocator": "cpe:2.3:a:shop:shop:1.0.0:*"},
        {"referenceType": "purl", "referenceLocator": PURL},
    ],
}
ROOT = {"SPDXID": "SPDXRef-DocumentRoot-Directory-shop", "name": "shop", "versionInfo": "1.0.0"}
SCOPED = "pkg:npm/%40shop/till@2.0.0"


def _difference(components: list[Any], packages: list[Any]) -> str:
    return bill_difference({"components": components}, {"packages": packages})


def test_the_folder_that_was_looked_at_is_no_component() -> None:
    assert _difference([COMPONENT], [ROOT, PACKAGE]) == ""


def test_a_group_is_part_of_the_name() -> None:
    grouped = {"group": "@shop", "name": "till", "version": "2.0.0", "purl": SCOPED}
    reference = {"referenceType": "purl", "referenceLocator": SCOPED}
    named = {"name": "@shop/till", "versionInfo": "2.0.0", "externalRefs": [reference]}
    assert _difference([grouped], [named]) == ""


@pytest.mark.parametrize(
    "change", [{"name": "shopp"}, {"version": "1.0.1"}, {"purl": "pkg:pypi/shop@1.0.1"}]
)
def test_what_only_one_lists_is_named(change: dict[str, str]) -> None:
    more = COMPONENT | change
    said = " ".join((more["name"], more["version"], more["purl"]))
    found = _difference([COMPONENT, more], [PACKAGE])
    assert found == f"CycloneDX lists {said}, SPDX does not"


def test_what_only_the_other_lists_is_named_and_the_rest_counted() -> None:
    others = [PACKAGE | {"name": name} for name in ("zebra", "yak")]
    found = _difference([COMPONENT], [PACKAGE, *others])
    assert found == f"SPDX lists yak 1.0.0 {PURL} (and 1 more), CycloneDX does not"
