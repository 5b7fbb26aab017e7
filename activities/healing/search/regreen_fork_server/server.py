"""The server: reads requests, puts candidates on disk, has them run, takes them off again."""

from __future__ import annotations

import os
import sys
from typing import Any

from .channel import Channel
from .cold_run import run_cold
from .measuring import measure
from .processes import adopt_orphans, end_strays
from .stage import settings
from .warm_process import WarmProcess
from .workspace_files import apply, remove_bytecode, restore


def serve() -> None:
    """Answer requests until standard input ends, then end every process started, and this one.

    Tests cannot disturb the answers: what they print goes to the null device.
    """
    reading, writing = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    adopt_orphans(reading)
    sys.dont_write_bytecode = True
    sys.argv = ["pytest"]
    remove_bytecode()
    channel, warm = Channel(reading, writing), WarmProcess()
    while True:
        request = channel.receive()
        if request is None:
            break
        channel.send(_answer(request, warm))
    warm.end()
    end_strays()
    os._exit(0)


def _answer(request: dict[str, Any], warm: WarmProcess) -> dict[str, Any]:
    if request["request"] == "settings":
        settings.update(request["settings"])
        return {"verdict": "settings"}
    if request["request"] == "measure":
        return measure(request)
    if request["request"] == "warm":
        return warm.start(request["limit"])
    if request["request"] in {"sieve", "observe"}:
        times = len(request.get("candidates", [None]))
        answer = warm.run(request, request["limit"] * times)
        end_strays(warm.pid)
        return answer
    changed = apply(request["edits"])
    try:
        return run_cold(request) if request["hot"] is None else warm.run(request, request["limit"])
    finally:
        end_strays(warm.pid)
        restore(changed)
