"""A process that has collected the stage's tests and forks a child for each candidate."""

from __future__ import annotations

import contextlib
import gc
import os
import time
from typing import Any

import pytest

from .channel import Channel
from .code_exchange import Places, exchange, functions_by_place, loaded_files
from .failure_fingerprint import fingerprint
from .module_state import ModuleState
from .observing import Observer
from .processes import end_child, host_gone, limit_resources, start_child, supervised
from .recorder import Recorder, selected
from .sieve import sieve
from .stage import pytest_arguments, settings
from .workspace_files import ROOT

_MOST_STARTS = 5
_NOTHING: dict[str, Any] = {"failed": [], "passed": []}


class _Serving(Recorder):
    """Takes the place of pytest's own loop over the tests."""

    def __init__(self, channel: Channel) -> None:
        super().__init__()
        self.channel = channel
        self.observer: Observer | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: Any) -> bool:
        """Answer requests until the server closes its end."""
        self.note_collected(session.items)
        self.session = session
        places, loaded, state = functions_by_place(), loaded_files(), ModuleState()
        gc.collect()
        gc.freeze()
        self.channel.send({"verdict": "warm", "collected": self.collected, "errors": self.errors})
        while True:
            request = self.channel.receive()
            if request is None:
                os._exit(0)
            if request["request"] == "sieve":
                answers = sieve(request, self._tests, places, loaded, state)
                self.channel.send({"verdict": "sieved", "answers": answers})
            elif request["request"] == "observe":
                self.channel.send(self._observed(request, places, loaded))
            else:
                self.channel.send(self._alone(request, places, loaded))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, item: Any, call: Any) -> None:
        """Keep how the test failed; pytest goes on to make the report."""
        if call.excinfo is not None:
            self.fingerprints[item.nodeid] = fingerprint(call.excinfo)

    def _alone(self, request: dict[str, Any], places: Places, loaded: set[str]) -> dict[str, Any]:
        """Try one candidate in a process of its own."""

        def body(channel: Channel) -> None:
            limit_resources(request["cpu"])
            if not all(exchange(hot, places, loaded, []) for hot in request["hot"]):
                channel.send({"verdict": "unsupported", **_NOTHING})
                return
            gc.disable()
            channel.send(self._tests(request["tests"], request["stop"]))

        return supervised(body, request["limit"])

    def _observed(self, request: dict[str, Any], places: Places, loaded: set[str]) -> Any:
        """Run tests and tell what the function at a place was given and gave back."""

        def body(channel: Channel) -> None:
            limit_resources(request["cpu"])
            if not all(exchange(hot, places, loaded, []) for hot in request["hot"]):
                channel.send({"verdict": "unsupported", **_NOTHING})
                return
            path, name, line = request["place"]
            with Observer(str((ROOT / path).resolve()), name, line) as self.observer:
                self._tests(request["tests"], False)
            channel.send({"verdict": "observed", "calls": self.observer.calls})

        return supervised(body, request["limit"])

    def _tests(self, tests: list[str], stop: bool) -> dict[str, Any]:
        """Run tests in this process and return the answer, with how the failing ones failed."""
        self.forget()
        self.stop = stop
        session = self.session
        self.errors = [e for e in self.errors if any(test.startswith(e) for test in tests)]
        items = selected(session.items, tests)
        for number, item in enumerate(items):
            following = items[number + 1] if number + 1 < len(items) else None
            # Nobody reads how it failed, and writing that takes longer than most tests.
            item.repr_failure = _nothing_to_say
            if self.observer is not None:
                self.observer.test = item.nodeid
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if self.stopped or session.shouldstop or session.shouldfail:
                break
        # Once a plugin has stopped the session, nothing more can be run in this process.
        last = bool(session.shouldstop or session.shouldfail)
        return {**self.answer(tests), "how": self.fingerprints, "last": last}


def _nothing_to_say(*_: object, **__: object) -> str:
    return ""


def _body(channel: Channel) -> None:
    pytest.main(pytest_arguments(settings["paths"]), plugins=[_Serving(channel)])
    channel.send({"verdict": "crash"})


class WarmProcess:
    """The warm process as the server sees it: started when needed, again after it died."""

    def __init__(self) -> None:
        self.pid = 0
        self._channel: Channel | None = None
        self._starts = 0

    def start(self, limit: float) -> dict[str, Any]:
        """Start afresh within `limit` seconds; the answer says what was collected."""
        self.end()
        self._starts += 1
        self.pid, self._channel = start_child(_body)
        answer = self._channel.receive(time.monotonic() + limit, host_gone)
        if answer is None or answer["verdict"] != "warm":
            self.end()
            return {"verdict": "crash", "collected": [], "errors": []}
        return answer

    def run(self, request: dict[str, Any], limit: float) -> dict[str, Any]:
        """The answer within `limit` seconds; `unsupported` when only a cold run can tell."""
        if self._channel is None and (
            self._starts > _MOST_STARTS or self.start(limit + 30)["verdict"] != "warm"
        ):
            return {"verdict": "unsupported", **_NOTHING}
        assert self._channel is not None
        with contextlib.suppress(OSError):
            self._channel.send(request)
            answer = self._channel.receive(time.monotonic() + limit + 5, host_gone)
            if answer is not None:
                return answer
        self.end()
        return {"verdict": "crash", **_NOTHING}

    def end(self) -> None:
        """Kill it."""
        if self.pid:
            end_child(self.pid)
        if self._channel is not None:
            self._channel.close()
        self.pid, self._channel = 0, None
