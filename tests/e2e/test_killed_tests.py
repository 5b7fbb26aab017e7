"""Tests that are killed leave nothing of Regreen running."""

import subprocess
import sys
from pathlib import Path

import psutil

from tests.e2e.regreen_program import PROJECT, wait_until, wait_until_gone

KILLED = """
import sys, time
from pathlib import Path
from tests.e2e.regreen_program import Program

folder = Path(sys.argv[1])
with Program(folder, folder / "state", {}).start("up"):
    time.sleep(600)
"""


def test_a_hosting_program_ends_with_the_tests_that_started_it(tmp_path: Path) -> None:
    words = [sys.executable, "-c", KILLED, str(tmp_path)]
    with subprocess.Popen(words, cwd=PROJECT) as tests:
        try:
            wait_until((tmp_path / "state" / "server.json").exists, "the server")
            processes = psutil.Process(tests.pid).children(recursive=True)
            assert len(processes) >= 3, "the program, its server and its runner"
        finally:
            tests.kill()

    wait_until_gone(processes)
