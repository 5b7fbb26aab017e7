"""Values that more than one section of `regreen.yaml` takes."""

import re
from pathlib import PurePosixPath
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")


def _parse_duration(value: object) -> object:
    if isinstance(value, str):
        match = _DURATION.fullmatch(value.strip())
        if match is None:
            raise ValueError(f"{value!r} is not a duration such as 30s, 10m, 2h or 7d")
        return float(match[1]) * _UNITS[match[2]]
    return value


Duration = Annotated[
    float,
    BeforeValidator(_parse_duration),
    Field(gt=0),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0},
                {"type": "string", "pattern": r"^\d+(\.\d+)?(ms|s|m|h|d)$"},
            ],
            "description": "seconds, or a number with a unit: 30s, 10m, 2h, 7d",
        }
    ),
]


def _check_reason(reason: str) -> str:
    if not reason.strip():
        raise ValueError("the reason must not be empty")
    return reason


def _check_below_root(path: str) -> str:
    parts = PurePosixPath(path).parts
    if path != "." and (not parts or parts[0] == "/" or not {"..", ".git"}.isdisjoint(parts)):
        raise ValueError(f"`{path}` has to be a path below the root")
    return path


Percent = Annotated[float, Field(ge=0, le=100)]
Reason = Annotated[str, AfterValidator(_check_reason)]
BelowRoot = Annotated[str, AfterValidator(_check_below_root)]
