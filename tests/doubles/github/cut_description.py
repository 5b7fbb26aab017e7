"""Cut GitHub's OpenAPI description to the operations that the double answers.

The description comes from the npm package `@octokit/openapi` (MIT, see description.LICENSE):

    npm pack @octokit/openapi@23.0.2 && tar xf octokit-openapi-23.0.2.tgz
    python -m tests.doubles.github.cut_description package/generated/api.github.com.json
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

DESCRIPTION = Path(__file__).with_name("description.json")
OPERATIONS = (
    "apps/create-installation-access-token",
    "checks/create",
    "checks/list-for-ref",
    "checks/update",
    "git/get-ref",
    "git/get-tag",
    "issues/create-comment",
    "issues/list-comments",
    "pulls/create",
    "pulls/get",
    "pulls/list",
    "pulls/list-reviews",
    "pulls/update",
    "repos/create-commit-status",
    "repos/create-release",
    "repos/delete-release",
    "repos/delete-release-asset",
    "repos/get-collaborator-permission-level",
    "repos/get-combined-status-for-ref",
    "repos/get-commit",
    "repos/get-content",
    "repos/get-release",
    "repos/get-release-asset",
    "repos/get-release-by-tag",
    "repos/get-webhook-delivery",
    "repos/list-activities",
    "repos/list-release-assets",
    "repos/list-releases",
    "repos/list-webhook-deliveries",
    "repos/update-release",
    "repos/upload-release-asset",
    "teams/get-membership-for-user-in-org",
)
"""What the double answers. Another operation is a name here and a function in double.py."""

# Prose; nothing that a request or response is checked against.
_PROSE = ("description", "summary", "example", "examples", "externalDocs", "x-github", "tags")


def cut(description: dict[str, Any]) -> dict[str, Any]:
    """The operations and the components that they need."""
    paths: dict[str, Any] = {}
    for path, item in description["paths"].items():
        kept = {
            method: _bare(operation)
            for method, operation in item.items()
            if isinstance(operation, dict) and operation.get("operationId") in OPERATIONS
        }
        if kept:
            paths[path] = kept
    result: dict[str, Any] = {"paths": paths, "components": {}}
    waiting = set(_references(paths))
    while waiting:
        reference = waiting.pop()
        _, _, kind, name = reference.split("/")
        section = result["components"].setdefault(kind, {})
        if name not in section:
            section[name] = _bare(description["components"][kind][name])
            waiting |= set(_references(section[name]))
    return {
        "openapi": description["openapi"],
        "info": {"title": "A part of GitHub's REST API", "version": description["info"]["version"]},
        **result,
    }


def _bare(node: Any, in_properties: bool = False) -> Any:
    if isinstance(node, dict):
        return {
            key: _bare(value, key == "properties")
            for key, value in node.items()
            if in_properties or key not in _PROSE
        }
    return [_bare(each) for each in node] if isinstance(node, list) else node


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref" and isinstance(value, str):
                yield value
            else:
                yield from _references(value)
    elif isinstance(node, list):
        for each in node:
            yield from _references(each)


if __name__ == "__main__":
    whole = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    text = json.dumps(cut(whole), indent=1, sort_keys=True)
    DESCRIPTION.write_text(f"{text}\n", "utf-8")
