"""Telling failures of the machine from failures of the code, by their evidence."""

import re
from collections.abc import Sequence
from pathlib import Path

from activities.healing.missing_package import (
    missing_event_loop,
    missing_fixture,
    missing_module,
    missing_node_package,
    missing_option,
)
from regreen.contracts.base import Contract
from regreen.contracts.testing import TestFailure, TestReport
from regreen.pipeline_file import Pipeline

# Fixtures come from plugins and from files of the tests, which no heal may change.
_MISSING_FIXTURE = re.compile(r"fixture '(\w+)' not found")
_COROUTINE = "async def functions are not natively supported"
_UNKNOWN_OPTION = re.compile(r"unrecognized arguments: (-[\w-]+)")
_MISSING_LIBRARY = re.compile(r"(\S+\.so[.\d]*): cannot open shared object file")
_MEMORY = "out of memory: give the runner more of it, or the tests less to do"
_RESOLUTION = (
    "name resolution failed: tests have no network but loopback, so start what they need beside "
    "them or leave them out with `arguments`"
)
_MACHINE = {
    "MemoryError": _MEMORY,
    "_ArrayMemoryError": _MEMORY,
    "gaierror": _RESOLUTION,
}
_MESSAGES = (
    ("Temporary failure in name resolution", _RESOLUTION),
    ("Name or service not known", _RESOLUTION),
    ("No space left on device", "the disk is full: make room on the runner"),
    (
        "Network is unreachable",
        "no network: tests have none but loopback, so start what they need beside them or leave "
        "them out with `arguments`",
    ),
    ("Cannot allocate memory", _MEMORY),
)
# SIGKILL and SIGTERM, of the program itself or of what it ran.
_KILLED = re.compile(r"with exit code (-9|137|-15|143)\b")


class MachineTrouble(Contract):
    """Why the machine is to blame and not the code."""

    reason: str
    """One line, with the way out."""
    lasting: bool = False
    """Whether running again is no use."""


def machine_trouble(
    tree: Path, pipeline: Pipeline, failures: Sequence[TestFailure]
) -> MachineTrouble | None:
    """Why these failures are not the code's; None when they may well be.

    One failure that speaks of the machine is enough: what else is red may follow from it.
    """
    for failure in failures:
        found = _trouble(tree, pipeline, failure)
        if found is not None:
            return found.model_copy(update={"reason": f"{found.reason} ({failure.node_id})"})
    return None


def broken_runner_trouble(
    tree: Path, pipeline: Pipeline, stage: str, report: TestReport
) -> MachineTrouble | None:
    """Why pytest itself could not do its work, where that is the machine's; None otherwise."""
    detail = report.detail
    if _KILLED.search(detail):
        return MachineTrouble(reason=_killed("pytest"))
    if "did not end within" in detail:
        return MachineTrouble(reason=f"{detail}: raise `{stage}.timeout`, or find what hangs")
    if option := _UNKNOWN_OPTION.search(detail):
        return MachineTrouble(reason=missing_option(tree, pipeline, option[1]), lasting=True)
    if reason := missing_module(tree, pipeline, detail):
        return MachineTrouble(reason=reason, lasting=True)
    for text, reason in _MESSAGES:
        if text in detail:
            return MachineTrouble(reason=reason)
    return None


def _trouble(tree: Path, pipeline: Pipeline, failure: TestFailure) -> MachineTrouble | None:
    message = failure.message
    if reason := missing_node_package(message):
        return MachineTrouble(reason=reason, lasting=True)
    if failure.exception in ("ModuleNotFoundError", "ImportError"):
        if reason := missing_module(tree, pipeline, message):
            return MachineTrouble(reason=reason, lasting=True)
        if library := _MISSING_LIBRARY.search(message):
            reason = f"system library `{library[1]}` is missing: install it on the runner"
            return MachineTrouble(reason=reason, lasting=True)
    if fixture := _MISSING_FIXTURE.match(message):
        return MachineTrouble(reason=missing_fixture(tree, pipeline, fixture[1]), lasting=True)
    if _COROUTINE in message.partition("\n")[0]:
        return MachineTrouble(reason=missing_event_loop(tree, pipeline), lasting=True)
    if failure.exception == "Crash" and _KILLED.search(message):
        return MachineTrouble(reason=_killed("the test process"))
    if failure.exception in _MACHINE:
        return MachineTrouble(reason=_MACHINE[failure.exception])
    if failure.exception in ("", "AssertionError"):
        # What an assertion quotes happened to nobody.
        return None
    for text, reason in _MESSAGES:
        if text in message:
            return MachineTrouble(reason=reason)
    return None


def _killed(what: str) -> str:
    return (
        f"{what} was killed from outside, as happens when memory runs out: give the runner more "
        "of it, or the tests less to do"
    )
