"""Runs candidate patches against a repository's tests, fast. Standard library and pytest only.

This folder is not imported by Regreen: it is shown to the sandbox and run there with the
repository's own interpreter, so it keeps to what Python 3.9 understands. It reads one JSON request
a line from standard input and writes one JSON answer a line to standard output.

Three kinds of processes. The *server* has pytest imported and nothing of the repository; it puts
candidates on disk and takes them off again. From it is forked, for each cold run, a child that runs
pytest from the start, and once a *warm* process that has collected the tests. The warm process
forks a child for each candidate and exchanges the code of the edited functions there, which takes
milliseconds. What a candidate's child does to itself never reaches the next candidate.
"""

import importlib
import sys
from pathlib import Path


def main() -> None:
    """Serve until standard input ends."""
    # The repository may have modules of any name: this folder must not stay importable as a root.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    server = importlib.import_module("regreen_fork_server.server")
    # As `python -m pytest` does.
    sys.path[0] = str(Path.cwd())
    server.serve()


if __name__ == "__main__":
    main()
