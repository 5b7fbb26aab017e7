"""The stage's settings, and the arguments that pytest gets for them."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

settings: dict[str, Any] = {}
"""`arguments`, `paths`; `required`: must pass; `skipped`: may stay skipped; `ignored`: any outcome;
`rootdir` and `inifile` once measured. Sent by the caller before anything is run."""


def pytest_arguments(paths: Sequence[str]) -> list[str]:
    """Arguments for `pytest.main`. The stage's own come first, so that what follows wins."""
    chosen = [str(argument) for argument in settings["arguments"]]
    chosen += ["-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:sugar"]
    # As `sys` capture keeps output in memory, a killed child leaves nothing behind for the next.
    chosen += ["--capture=sys", "--assert=plain", "--tb=no", "-q", "--maxfail=0"]
    chosen.append(f"--basetemp={Path(tempfile.gettempdir()) / 'regreen-tests'}")
    if importlib.util.find_spec("xdist"):
        chosen.append("-n0")
    if importlib.util.find_spec("pytest_cov"):
        chosen.append("--no-cov")
    if "rootdir" in settings:
        chosen.append(f"--rootdir={settings['rootdir']}")
        if settings.get("inifile"):
            chosen += ["-c", settings["inifile"]]
    return [*chosen, *paths]
