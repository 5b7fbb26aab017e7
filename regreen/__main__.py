"""The entry point `regreen`."""

import sys
from pathlib import Path

_APPLICATION = Path(__file__).with_name("_app")


def main() -> None:
    """Run the command line."""
    # Present only in a built wheel; in a checkout the folders are importable as they are.
    if _APPLICATION.is_dir():
        sys.path.insert(0, str(_APPLICATION))
    from starters.command_line import run_command_line

    run_command_line()


if __name__ == "__main__":
    main()
