"""`waivers.openvex.json` of a release folder: what let gates pass, written and read again.

The form is OpenVEX 0.2.0 (github.com/openvex/spec), with owner and end as in `activities.waivers`.
The document's timestamp is the moment of the release, which is signed with it.
"""

import hashlib
import json
import re
import secrets
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from temporalio import activity

from activities.artifact_store import get_bytes, put_bytes
from activities.waivers import moment, read_document
from regreen.contracts.gates import Waiver
from regreen.contracts.release import ReleaseFile
from regreen.contracts.waivers import ReleasedWaivers, WaiversRequest
from regreen.settings import load_settings

WAIVERS = "waivers.openvex.json"

_CONTEXT = "https://openvex.dev/ns/v0.2.0"
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


@activity.defn
async def write_waivers(request: WaiversRequest) -> ReleasedWaivers:
    """Store one OpenVEX document with a statement for each waiver, about the released packages.

    So that a release that is made again is the same to the byte, the first document with the same
    statements holds, with its moment.
    """
    lines = [line for ref in request.waivers for line in (await get_bytes(ref)).splitlines()]
    waivers = [Waiver.model_validate_json(line) for line in sorted(set(lines))]
    document = _document(request, waivers)
    kept = load_settings().state.resolve() / "waivers" / f"{_lasting(document)}.json"
    if not kept.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        staged = kept.with_name(f".{secrets.token_hex(8)}")
        staged.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n", "utf-8")
        staged.replace(kept)
    stored = await put_bytes(WAIVERS, kept.read_bytes(), "application/json")
    return ReleasedWaivers(
        file=ReleaseFile(path=WAIVERS, content=stored),
        first_to_end=min(waivers, key=lambda waiver: moment(waiver.expires)),
    )


def waivers_problem(path: Path, listed: Mapping[str, str]) -> str:
    """What is wrong with a `waivers.openvex.json`, in one line; empty when all of it was in force.

    `listed` are the folder's files with their digests.
    """
    read = read_document(path, WAIVERS)
    if read.remarks:
        return read.remarks[0].removeprefix(f"{WAIVERS}, ").removeprefix(f"{WAIVERS} ")
    try:
        document = json.loads(path.read_bytes())
        released = moment(document["timestamp"])
        statements = document["statements"]
        products = [product for statement in statements for product in statement["products"]]
        digests = [product["hashes"]["sha-256"] for product in products]
    except (OSError, ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return "names no moment of the release, or no products with their digests"
    for waiver in read.valid:
        if moment(waiver.expires) <= released:
            return (
                f"the waiver of {waiver.rule} by {waiver.owner} ended on {waiver.expires}, "
                f"and the release is of {document['timestamp']}"
            )
    strangers = set(digests) - set(listed.values())
    if strangers or not digests:
        return f"is about another release: {_first(strangers)}is not in the folder"
    return ""


def _first(digests: Collection[str]) -> str:
    return f"its product with SHA-256 {min(digests)[:12]} " if digests else "its product "


def _document(request: WaiversRequest, waivers: Sequence[Waiver]) -> dict[str, Any]:
    return {
        "@context": _CONTEXT,
        "@id": f"urn:regreen:waivers:{quote(request.repository)}:{quote(request.version)}",
        "author": load_settings().builder,
        "timestamp": request.at,
        "version": 1,
        "statements": [_statement(request, waiver) for waiver in waivers],
    }


def _statement(request: WaiversRequest, waiver: Waiver) -> dict[str, Any]:
    reason = "action_statement" if waiver.status == "affected" else "impact_statement"
    about = {"subcomponents": [{"@id": _iri(waiver.subject)}]} if waiver.subject else {}
    place = f"pkg:generic/{quote(request.repository)}@{quote(request.version)}"
    owner = " ".join(waiver.owner.replace(";", ",").split())
    return {
        "vulnerability": {"name": waiver.rule},
        "products": [
            {
                "@id": f"{place}?file={quote(file.path)}",
                "hashes": {"sha-256": file.content.sha256},
                **about,
            }
            for file in request.packages
        ],
        "status": waiver.status,
        reason: waiver.reason,
        "status_notes": f"owner: {owner}; expires: {waiver.expires}; from {waiver.document}",
    }


def _iri(subject: str) -> str:
    """The subject as OpenVEX wants it; thresholds and fingerprints are none by themselves."""
    escaped = quote(subject, safe=":/?#@!$&'()*+,;=%~")
    return escaped if _SCHEME.match(escaped) else f"urn:regreen:subject:{escaped}"


def _lasting(document: Mapping[str, Any]) -> str:
    lasting = {name: value for name, value in document.items() if name != "timestamp"}
    return hashlib.sha256(json.dumps(lasting, sort_keys=True).encode()).hexdigest()
