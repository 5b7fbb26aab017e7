"""A pytest plugin that replays calls of chosen functions on random inputs near the real ones.

The folder is not imported by the benchmark's process: it is copied to the sandbox and runs in the
package's environment, with the standard library and pytest only. `REGREEN_REPLAY` names the plan, a
JSON file:

- `targets`: pairs of file and qualified function name;
- `selected`: the calls to replay, as lists of test, file, function and number; null to count calls
  and replay none;
- `variants`: random inputs for each call, on top of the call's own;
- `output`: the file to write, one JSON object a line.
"""

import json
import os
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from .recorder import Recorder

_recorder = Recorder(json.loads(Path(os.environ["REGREEN_REPLAY"]).read_text("utf-8")))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Watch the calls that a test makes."""
    _recorder.watch(item.nodeid)
    try:
        yield
    finally:
        sys.setprofile(None)
