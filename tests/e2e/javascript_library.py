"""A fresh repository of the example library in JavaScript, whose last commit brings a bug."""

import subprocess
import sys
from pathlib import Path

from tests.e2e.regreen_program import PROJECT


def javascript_library(folder: Path) -> Path:
    """Make the repository at `folder`."""
    script = PROJECT / "examples" / "javascript-library" / "make_history.py"
    subprocess.run(
        [sys.executable, str(script), str(folder)], check=True, timeout=60, capture_output=True
    )
    return folder
