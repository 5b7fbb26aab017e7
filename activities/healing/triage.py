"""Telling failures of the machine from failures of the code, by their evidence."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from regreen.contracts.testing import TestFailure

_MISSING_MODULE = re.compile(r"No module named '([\w.]+)'")
# Node's words. What begins with a dot or a slash is a file of the repository.
_MISSING_PACKAGE = re.compile(r"Cannot find (?:module|package) '([^'./][^']*)'")
# Fixtures come from plugins and from files of the tests, which no heal may change.
_MISSING_FIXTURE = re.compile(r"fixture '(\w+)' not found")
_MACHINE = {
    "MemoryError": "out of memory",
    "gaierror": "name resolution failed: tests have no network but loopback",
}
_MESSAGES = (
    ("Temporary failure in name resolution", _MACHINE["gaierror"]),
    ("Name or service not known", _MACHINE["gaierror"]),
    ("No space left on device", "the disk is full"),
    ("Network is unreachable", "no network: tests have none but loopback"),
    ("Cannot allocate memory", "out of memory"),
)


def infrastructure_reason(tree: Path, failures: Sequence[TestFailure]) -> str:
    """Why these failures are not the code's, in one line; empty when they may well be.

    One failure that speaks of the machine is enough: what else is red may follow from it.
    """
    for failure in failures:
        missing = _MISSING_MODULE.search(failure.message)
        if missing and _is_third_party(tree, missing[1]):
            return f"third-party package `{missing[1]}` is not installed ({failure.node_id})"
        if package := _MISSING_PACKAGE.search(failure.message):
            return f"package `{package[1]}` is not installed ({failure.node_id})"
        if fixture := _MISSING_FIXTURE.match(failure.message):
            return f"no fixture `{fixture[1]}`: a pytest plugin is missing ({failure.node_id})"
        if failure.exception in _MACHINE:
            return f"{_MACHINE[failure.exception]} ({failure.node_id})"
        for text, reason in _MESSAGES:
            if text in failure.message:
                return f"{reason} ({failure.node_id})"
    return ""


def _is_third_party(tree: Path, module: str) -> bool:
    top = module.partition(".")[0]
    if top in sys.stdlib_module_names:
        return False
    roots = (tree, tree / "src", tree / "tests", tree / "test")
    return not any((root / top).is_dir() or (root / f"{top}.py").is_file() for root in roots)
