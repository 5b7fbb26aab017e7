"""Whether a bill of materials is what its specification says, by the specification's own schema."""

import asyncio
import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from jsonschema import Draft7Validator  # type: ignore[import-untyped]
from jsonschema.exceptions import best_match  # type: ignore[import-untyped]
from referencing import Registry, Resource

from activities.heartbeat import heartbeating

_FOLDER = Path(__file__).with_name("bill_schemas")
_BASE = "http://cyclonedx.org/schema/"
_REFERENCED = ("spdx.SNAPSHOT.schema.json", "jsf-0.82.SNAPSHOT.schema.json")

BillFormat = Literal["CycloneDX 1.6", "SPDX 2.3"]
_FILES: dict[BillFormat, str] = {
    "CycloneDX 1.6": "cyclonedx-1.6.schema.json",
    "SPDX 2.3": "spdx-2.3.schema.json",
}
_SHOWN = 200


async def schema_problem(format: BillFormat, document: Mapping[str, Any]) -> str:
    """Why the document is not valid, in one line; empty when it is."""
    # Thousands of components take seconds, in which heartbeats must go on.
    checked = asyncio.to_thread(_problem, format, document)
    return await heartbeating(checked, f"{format}: schema")


def _problem(format: BillFormat, document: Mapping[str, Any]) -> str:
    version = document.get("specVersion" if format.startswith("Cyclone") else "spdxVersion")
    if str(version).removeprefix("SPDX-") != format.partition(" ")[2]:
        return f"not {format}: it says version {version}"
    error = best_match(_validator(format).iter_errors(document))
    if error is None:
        return ""
    return f"not valid {format}: {error.json_path}: {' '.join(error.message.split())[:_SHOWN]}"


@functools.cache
def _validator(format: BillFormat) -> Draft7Validator:
    resources = [(f"{_BASE}{name}", Resource.from_contents(_read(name))) for name in _REFERENCED]
    return Draft7Validator(_read(_FILES[format]), registry=Registry().with_resources(resources))


def _read(name: str) -> Any:
    return json.loads((_FOLDER / name).read_text("utf-8"))
