"""Requests and responses against GitHub's own OpenAPI description, cut to what the double does."""

import json
import re
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import unquote

from openapi_schema_validator import OAS30ReadValidator, OAS30WriteValidator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from tests.doubles.github.cut_description import DESCRIPTION
from tests.doubles.github.filling import filled

_BASE = "urn:github"


@dataclass(frozen=True)
class Operation:
    """One operation of the description, found for a request."""

    identifier: str
    parameters: dict[str, str]
    description: dict[str, Any]


class Contract:
    """The description: which operation a request is, and whether bodies are as it says."""

    def __init__(self) -> None:
        self._whole = json.loads(DESCRIPTION.read_text("utf-8"))
        resource = Resource(contents=_absolute(self._whole), specification=DRAFT202012)
        self._registry = Registry().with_resource(_BASE, resource)
        self._routes = sorted(
            (path.count("{"), method.upper(), _pattern(path), operation)
            for path, item in self._whole["paths"].items()
            for method, operation in ((m, _Ordered(o)) for m, o in item.items())
        )

    def find(self, method: str, path: str) -> Operation | None:
        """The operation that a request means."""
        for _, its_method, pattern, operation in self._routes:
            found = re.fullmatch(pattern, path)
            if its_method == method and found:
                parameters = {key: unquote(value) for key, value in found.groupdict().items()}
                content = operation.content
                return Operation(content["operationId"], parameters, content)
        return None

    def request_problems(self, operation: Operation, body: Any) -> list[str]:
        """What in a JSON body is not as the description says."""
        wanted = self._resolved(operation.description.get("requestBody"))
        if wanted is None:
            return [] if body is None else [f"{operation.identifier} takes no body"]
        schema = wanted["content"].get("application/json", {}).get("schema")
        if schema is None:
            return []
        return self._problems(OAS30WriteValidator, schema, body, operation.identifier)

    def response_problems(self, operation: Operation, status: int, body: Any) -> list[str]:
        """What in an answer is not as the description says."""
        described = self._resolved(operation.description["responses"].get(str(status)))
        if described is None:
            return [f"{operation.identifier} never answers {status}"]
        schema = described.get("content", {}).get("application/json", {}).get("schema")
        if schema is None or body is None:
            return []
        return self._problems(OAS30ReadValidator, schema, body, f"{operation.identifier} {status}")

    def filled(self, operation: Operation, status: int, known: Any) -> Any:
        """An answer of which only a part is known, with the rest that the description requires."""
        described = self._resolved(operation.description["responses"].get(str(status)))
        schema = (described or {}).get("content", {}).get("application/json", {}).get("schema")
        return known if schema is None else filled(schema, known, self._whole["components"])

    def _problems(self, validator: Any, schema: Any, body: Any, where: str) -> list[str]:
        errors = validator(_absolute(schema), registry=self._registry).iter_errors(body)
        return [
            f"{where}: {'/'.join(map(str, error.absolute_path))}: {error.message}"
            for error in errors
        ]

    def _resolved(self, node: Any) -> Any:
        while isinstance(node, dict) and "$ref" in node:
            _, *keys = node["$ref"].split("/")
            node = self._whole
            for key in keys:
                node = node[key]
        return node


@dataclass(frozen=True)
class _Ordered:
    """An operation among routes that are sorted; routes themselves differ in what comes before."""

    content: dict[str, Any]

    def __lt__(self, other: object) -> bool:
        return False


@cache
def contract() -> Contract:
    """The description, read once."""
    return Contract()


def _pattern(path: str) -> str:
    """A path and the last thing below `git/ref` have slashes in them, nothing else has."""
    long = path.endswith(("/git/ref/{ref}", "/contents/{path}"))

    def group(found: re.Match[str]) -> str:
        whole = long and found.end() == len(found.string)
        return f"(?P<{found[1]}>{'.+' if whole else '[^/]+'})"

    return re.sub(r"\\\{(\w+)\\\}", group, re.escape(path))


def _absolute(node: Any) -> Any:
    if isinstance(node, list):
        return [_absolute(each) for each in node]
    if not isinstance(node, dict):
        return node
    found = {
        key: f"{_BASE}{value}" if key == "$ref" else _absolute(value)
        for key, value in node.items()
        # Its names of schemas are not references that could be made absolute; `oneOf` says as much.
        if key != "discriminator"
    }
    if found.get("nullable") is True and found.keys() & {"enum", "oneOf", "anyOf", "allOf"}:
        # GitHub means null besides, which the validator would look for among these.
        del found["nullable"]
        return {"anyOf": [found, {"enum": [None]}]}
    return found
