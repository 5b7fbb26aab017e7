"""Trying many candidates in turn in one process: forking for each costs more than most tests.

Between two candidates the functions get their code back and the modules their state. A candidate
that ends the process or uses up its time takes nothing with it but itself: the others go on in a
new process. Passing here is a reason to look closer, not a verdict.
"""

from __future__ import annotations

import gc
import signal
import time
from collections.abc import Callable
from typing import Any

from .channel import Channel
from .code_exchange import Places, Undo, exchange, take_back
from .module_state import ModuleState
from .processes import end_child, exit_noticed, limit_resources, start_child

_CPU_CEILING = 3600
"""Seconds for a process of the sieve; each candidate has a limit of its own."""

Run = Callable[[list[str], bool], dict[str, Any]]
"""Runs the named tests, to the first failure if told so, and returns the answer."""


def sieve(
    request: dict[str, Any], run: Run, places: Places, loaded: set[str], state: ModuleState
) -> list[dict[str, Any]]:
    """An answer for each of the request's `candidates`, in order.

    Each is a list of functions to exchange. For each, `tests` are run, to the first failure if
    `stop`. `seconds` bounds the CPU time of one candidate, `limit` its time by the clock. The
    verdict `unsupported` means that the code cannot be exchanged.
    """
    candidates: list[list[dict[str, Any]]] = request["candidates"]
    answers: list[dict[str, Any]] = []

    def body(channel: Channel) -> None:
        limit_resources(_CPU_CEILING)
        gc.disable()
        for hot in candidates[len(answers) :]:
            answer = _tried(hot, request, run, places, loaded)
            channel.send(answer)
            if answer.get("last"):
                break
            state.restore()

    while len(answers) < len(candidates):
        pid, channel = start_child(body)
        gone = exit_noticed(pid)
        while len(answers) < len(candidates):
            answer = channel.receive(time.monotonic() + request["limit"], gone)
            answers.append(answer or {"verdict": "crash", "passed": []})
            if answer is None or answer.get("last"):
                break
        end_child(pid)
        channel.close()
    return answers


def _tried(
    hot: list[dict[str, Any]], request: dict[str, Any], run: Run, places: Places, loaded: set[str]
) -> dict[str, Any]:
    undo: Undo = []
    # CPU time, so that a busy machine ends nobody. What the signal does by default is to end.
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, request["seconds"])
    try:
        if not all(exchange(one, places, loaded, undo) for one in hot):
            return {"verdict": "unsupported", "passed": []}
        return run(request["tests"], request["stop"])
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        take_back(undo)
