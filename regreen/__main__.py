"""The entry point `regreen`."""

import gc
import sys
from pathlib import Path

_APPLICATION = Path(__file__).with_name("_app")


def main() -> None:
    """Run the command line."""
    # Present only in a built wheel; in a checkout the folders are importable as they are.
    if _APPLICATION.is_dir():
        sys.path.insert(0, str(_APPLICATION))
    if sys.argv[1:2] == ["gateway"]:
        # Without the other commands it takes half the memory and is ready in a third of the time.
        from starters.gateway.command import run_gateway_alone

        run_gateway_alone(sys.argv[2:])
        return
    # What is loaded stays. To look for garbage in it takes a third of a command's start, and would
    # be done again whenever the collector looks at everything.
    gc.disable()
    from starters.command_line import run_command_line

    gc.freeze()
    gc.enable()
    run_command_line()


if __name__ == "__main__":
    main()
