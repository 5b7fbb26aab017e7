"""Running pytest from the start in a child, on what lies on disk."""

from __future__ import annotations

from typing import Any

import pytest

from .channel import Channel
from .processes import limit_resources, supervised
from .recorder import SelectingRecorder
from .stage import pytest_arguments


def run_cold(request: dict[str, Any]) -> dict[str, Any]:
    """Run `tests` (null: all) of `paths` within `limit` seconds and return the verdict."""

    def body(channel: Channel) -> None:
        limit_resources(request["cpu"])
        recorder = SelectingRecorder(request["tests"], request["stop"])
        pytest.main(pytest_arguments(request["paths"]), plugins=[recorder])
        wanted = recorder.collected if request["tests"] is None else request["tests"]
        channel.send({**recorder.answer(wanted), "ran": list(recorder.outcomes)})

    return supervised(body, request["limit"])
