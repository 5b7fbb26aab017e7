"""What every command loads before it does anything."""

import subprocess
import sys
from pathlib import Path

CODE = """
import gc, os, sys
from regreen.__main__ import main

def end(code):
    heavy = {"apprise", "fastapi", "openai", "twine", "uvicorn"}
    print(code, heavy & set(sys.modules), gc.isenabled(), gc.get_freeze_count() > 0)
    leave(code)

leave, os._exit = os._exit, end
sys.argv = ["regreen", "schema"]
main()
"""


def test_a_command_loads_no_client_that_it_does_not_use_and_collects_garbage_again() -> None:
    done = subprocess.run(
        [sys.executable, "-u", "-c", CODE],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.splitlines()[-1] == "0 set() True True"
