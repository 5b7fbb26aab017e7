"""Answers of which a test knows only a part: the rest is filled in as GitHub describes it."""

from typing import Any

_VALUES = {"string": "", "integer": 0, "number": 0, "boolean": False, "array": []}
_FORMATS = {
    "date-time": "2026-11-25T10:00:00Z",
    "email": "regreen@example.invalid",
    "uri": "https://github.invalid/",
}


def filled(schema: Any, known: Any, components: Any) -> Any:
    """The known part of a value, with everything else that its schema requires."""
    schema = _resolved(schema, components)
    for part in schema.get("allOf", []):
        known = filled(part, known, components)
    if known is not None:
        for part in (schema.get("oneOf") or schema.get("anyOf") or [])[:1]:
            known = filled(part, known, components)
    if isinstance(known, list):
        return [filled(schema.get("items", {}), each, components) for each in known]
    if not isinstance(known, dict):
        return known
    properties, result = schema.get("properties", {}), dict(known)
    for name in {*schema.get("required", []), *known} & set(properties):
        result[name] = (
            filled(properties[name], known[name], components)
            if name in known
            else _made(properties[name], components)
        )
    return result


def _made(schema: Any, components: Any) -> Any:
    schema = _resolved(schema, components)
    if schema.get("nullable"):
        return None
    if "enum" in schema:
        return schema["enum"][0]
    for part in schema.get("oneOf") or schema.get("anyOf") or []:
        return _made(part, components)
    if "properties" in schema or "allOf" in schema or schema.get("type") == "object":
        return filled(schema, {}, components)
    if schema.get("type") == "string" and schema.get("format") in _FORMATS:
        return _FORMATS[schema["format"]]
    return _VALUES[schema.get("type", "string")]


def _resolved(node: Any, components: Any) -> Any:
    while "$ref" in node:
        _, _, kind, name = node["$ref"].split("/")
        node = components[kind][name]
    return node
