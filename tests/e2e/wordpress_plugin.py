"""A fresh repository of the example WordPress plugin."""

import subprocess
import sys
from pathlib import Path

from tests.e2e.regreen_program import PROJECT


def wordpress_plugin(folder: Path) -> Path:
    """Make the repository at `folder`."""
    script = PROJECT / "examples" / "wordpress-plugin" / "make_history.py"
    subprocess.run(
        [sys.executable, str(script), str(folder)], check=True, timeout=60, capture_output=True
    )
    return folder
