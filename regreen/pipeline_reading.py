"""Reading `regreen.yaml`, with errors that name line and way out."""

import difflib
import re
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from regreen.errors import UsageError
from regreen.pipeline_file import Pipeline

FILE_NAME = "regreen.yaml"


_MOVED = {"build.lint": "linters have a stage of their own: `lint: {tools: [ruff]}`"}
"""Keys of earlier versions, and what stands for them."""


class _Loader(yaml.SafeLoader):
    """YAML 1.2: only true and false are booleans, and `on` is a word."""


_BOOLEAN = "tag:yaml.org,2002:bool"
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _BOOLEAN]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    _BOOLEAN, re.compile(r"true|True|TRUE|false|False|FALSE"), list("tTfF")
)


def parse_pipeline(text: str, where: str = FILE_NAME) -> Pipeline:
    """Read the text of a pipeline file.

    Raises UsageError with one line that names file, line and, for an unknown key, the nearest
    valid one.
    """
    try:
        root = yaml.compose(text, Loader=_Loader)
        data = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "cannot be read"
        raise UsageError(f"{where}{line}: not valid YAML: {problem}") from error
    if data is None:
        return Pipeline()
    if not isinstance(data, dict):
        raise UsageError(f"{where}:1: expected keys such as `unit:`, found a {_kind(data)}")
    try:
        return Pipeline.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        location = tuple(part for part in first["loc"] if part != "[key]")
        message = (
            f"{where}:{_line_of(root, location)}: {_explain(first['type'], first['msg'], location)}"
        )
        raise UsageError(message) from error


def _explain(kind: str, message: str, location: tuple[int | str, ...]) -> str:
    dotted = ".".join(str(part) for part in location)
    if kind == "tuple_type":
        return f"{dotted}: expected a list, such as [first, second]"
    if kind != "extra_forbidden":
        return f"{dotted}: {message.removeprefix('Value error, ')}"
    if dotted in _MOVED:
        return f"`{dotted}` is no key any more; {_MOVED[dotted]}"
    key = str(location[-1])
    known = _known_keys(Pipeline, location[:-1])
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    hint = f"did you mean `{near[0]}`?" if near else f"known keys: {', '.join(known)}"
    return f"unknown key `{dotted}`; {hint}"


def _known_keys(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    for part in path:
        field = model.model_fields.get(str(part))
        found = [] if field is None else _models_in(field.annotation)
        if not found:
            return []
        model = found[0]
    return list(model.model_fields)


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in getattr(annotation, "__args__", ()) for model in _models_in(part)]


def _line_of(node: yaml.Node | None, location: tuple[int | str, ...]) -> int:
    line = 1
    for part in location:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == str(part):
                    line, node = key.start_mark.line + 1, value
                    break
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            node = node.value[part]
            line = node.start_mark.line + 1
    return line


def _kind(value: object) -> str:
    return {"list": "list", "str": "text"}.get(type(value).__name__, type(value).__name__)
