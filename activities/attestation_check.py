"""What the attestations in a release folder say, and whether it is so.

cosign says whether an attestation is signed and about its file. Here is checked what it states:
the provenance's policy, and that an attested bill of materials is the one in the folder.
"""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from activities.cosign import ATTESTATIONS, VERIFY_SCRIPT
from activities.provenance import (
    APPROVALS,
    CHECKLIST_ITEMS,
    HEALS,
    PIPELINE,
    PROVENANCE_SUFFIX,
    PROVENANCE_TYPE,
)
from activities.release_checklist import CHECKLIST
from activities.release_notes import NOTES
from activities.release_waivers import WAIVERS
from activities.signing_identity import IDENTITY_FILE
from activities.signing_key import PUBLIC_KEY
from activities.syft import CYCLONEDX_SUFFIX, SPDX_SUFFIX
from activities.trusted_root import TRUSTED_ROOT_FILE
from regreen.contracts.release import Expectations

_BUNDLE_BYTES = 128 << 20


def attested_file(path: str) -> tuple[str, str, str] | None:
    """The file that an attestation is about, its suffix and its predicate's type."""
    for suffix, kind in ATTESTATIONS.items():
        if path.endswith(suffix):
            return path.removesuffix(suffix), suffix, kind
    return None


def statement_problem(
    directory: Path, path: str, listed: dict[str, str], expected: Expectations
) -> str:
    """What is wrong with what an attestation states; empty when it is so.

    `listed` are the folder's files with their digests.
    """
    attested = attested_file(path)
    assert attested is not None
    about, suffix, _ = attested
    try:
        statement = _statement(directory / path)
        digests = [subject["digest"]["sha256"] for subject in statement["subject"]]
        if digests != [listed.get(about)]:
            return f"its subject is another artifact than {about}"
        if suffix.startswith(PROVENANCE_SUFFIX):
            return _provenance_problem(statement, listed, expected)
        return _bill_problem(directory, statement, suffix.removesuffix(".sigstore.json"), listed)
    except (OSError, ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return "its statement cannot be read"


def unattested(listed: dict[str, str]) -> list[str]:
    """Packages that have no provenance in a folder where others have."""
    end = f"{PROVENANCE_SUFFIX}.sigstore.json"
    proven = {path.removesuffix(end) for path in listed if path.endswith(end)}
    if not proven:
        return []
    others = (".bundle", ".sigstore.json", CYCLONEDX_SUFFIX, SPDX_SUFFIX)
    packages = {path for path in listed if "/" not in path and not path.endswith(others)}
    packages -= {CHECKLIST, IDENTITY_FILE, NOTES, PUBLIC_KEY, TRUSTED_ROOT_FILE}
    packages -= {VERIFY_SCRIPT, WAIVERS}
    return sorted(packages - proven)


def _statement(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        envelope = json.loads(file.read(_BUNDLE_BYTES))["dsseEnvelope"]
    statement = json.loads(base64.b64decode(envelope["payload"], validate=True))
    if not isinstance(statement, dict):
        raise ValueError("a statement is an object")
    return statement


def _provenance_problem(
    statement: dict[str, Any], listed: dict[str, str], expected: Expectations
) -> str:
    if statement["predicateType"] != PROVENANCE_TYPE:
        return f"is no {PROVENANCE_TYPE}"
    predicate = statement["predicate"]
    definition = predicate["buildDefinition"]
    parameters, inner = definition["externalParameters"], definition["internalParameters"]
    for what, found, wanted in (
        ("builder", predicate["runDetails"]["builder"]["id"], expected.builder),
        ("repository", parameters["repository"], expected.repository),
        ("commit", parameters["commit"], expected.commit),
    ):
        if wanted and found != wanted:
            return f"provenance names {what} {found!r}, expected is {wanted!r}"
    materials = {
        item["name"]: item["digest"]["sha256"]
        for item in definition["resolvedDependencies"]
        if "sha256" in item["digest"] and item["name"].startswith("patches/")
    }
    patches = _unsigned_names(listed, lambda path: path.startswith("patches/"))
    if materials != patches:
        return "its heal patches are not those in the folder"
    # cosign leaves empty lists out.
    bills = {
        item["name"]: item["digest"]["sha256"]
        for item in predicate["runDetails"].get("byproducts", ())
    }
    if bills != _unsigned_names(
        listed, lambda path: path.endswith((CYCLONEDX_SUFFIX, SPDX_SUFFIX))
    ):
        return "its bills of materials are not those in the folder"
    told = inner.get(CHECKLIST_ITEMS, {}).get("sha256")
    if told != listed.get(CHECKLIST):
        return "its checklist is not the one in the folder"
    return _approval_problem(parameters[PIPELINE], inner)


def _unsigned_names(listed: dict[str, str], wanted: Callable[[str], bool]) -> dict[str, str]:
    return {
        path: digest
        for path, digest in listed.items()
        if wanted(path) and not path.endswith(".bundle")
    }


def _approval_problem(pipeline: dict[str, Any], inner: dict[str, Any]) -> str:
    rule = pipeline["approval"]
    required = rule["required"]
    if required != "always" and not (required == "healed" and inner[HEALS]):
        return ""
    people = {str(each["reviewer"]).casefold() for each in inner[APPROVALS]} - {""}
    if not people:
        return f"nobody approved it, and `approval.required` is {required}"
    # Releases of before had no such rule.
    needed = rule.get("approvals", 1)
    if len(people) < needed:
        return f"{len(people)} approved it, and `approval.approvals` is {needed}"
    return ""


def _bill_problem(
    directory: Path, statement: dict[str, Any], suffix: str, listed: dict[str, str]
) -> str:
    for path in sorted(listed):
        if (
            path.endswith(suffix)
            and json.loads((directory / path).read_bytes()) == (statement["predicate"])
        ):
            return ""
    return "the attested bill of materials is not one in the folder"
