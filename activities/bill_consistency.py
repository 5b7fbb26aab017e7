"""Whether two bills of materials of one package, in two formats, list the same."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

DOCUMENT_ROOT = "SPDXRef-DocumentRoot-"
"""Begins the identifier of the package that syft adds for the folder that it looked at."""

Component = tuple[str, str, str]
"""Name, version and package URL; empty where there is none."""


def bill_difference(cyclonedx: Mapping[str, Any], spdx: Mapping[str, Any]) -> str:
    """What one of the bills lists and the other does not, in one line; empty when nothing.

    Raises LookupError, TypeError or AttributeError for what is no bill.
    """
    listed = {_of_cyclonedx(part) for part in cyclonedx["components"]}
    described = {
        _of_spdx(package)
        for package in spdx["packages"]
        if not str(package.get("SPDXID", "")).startswith(DOCUMENT_ROOT)
    }
    for only, there, missing in (
        (listed - described, "CycloneDX", "SPDX"),
        (described - listed, "SPDX", "CycloneDX"),
    ):
        if only:
            name, version, purl = min(only)
            known = " ".join(part for part in (name, version, purl) if part)
            more = f" (and {len(only) - 1} more)" if len(only) > 1 else ""
            return f"{there} lists {known}{more}, {missing} does not"
    return ""


def bills_problem(cyclonedx: Path, spdx: Path) -> str:
    """As `bill_difference`, of two files."""
    try:
        bills = (json.loads(cyclonedx.read_bytes()), json.loads(spdx.read_bytes()))
        return bill_difference(*bills)
    except (OSError, ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return "the two bills of materials cannot be compared"


def _of_cyclonedx(part: Mapping[str, Any]) -> Component:
    group = part.get("group", "")
    name = f"{group}/{part['name']}" if group else str(part["name"])
    return name, str(part.get("version", "")), str(part.get("purl", ""))


def _of_spdx(package: Mapping[str, Any]) -> Component:
    purls = [
        str(reference["referenceLocator"])
        for reference in package.get("externalRefs", ())
        if reference["referenceType"] == "purl"
    ]
    return str(package["name"]), str(package.get("versionInfo", "")), min(purls, default="")
