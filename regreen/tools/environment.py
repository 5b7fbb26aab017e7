"""Getting one Python program into an environment of its own, by the digests of its lock file."""

import sys
from pathlib import Path

from regreen.tools.catalogue import PythonEnvironment
from regreen.tools.locate import find
from regreen.tools.pins import read_pins
from regreen.tools.program import ToolUnavailableError, run_program

_QUIET = {"UV_NO_PROGRESS": "1", "NO_COLOR": "1"}


def make_environment(source: PythonEnvironment, scratch: Path, destination: Path) -> str:
    """Make the environment in the folder `destination`; return the program's version.

    It can be moved afterwards, and holds nothing that the lock file does not pin. Raises
    ToolFailedError when a download or a digest is wrong, ToolUnavailableError when there is no uv.
    """
    uv = find("uv")
    if uv is None:
        raise ToolUnavailableError("not available: needs uv; install Regreen again")
    pins = read_pins(source.lock)
    requirements = scratch / source.lock
    requirements.write_text("".join(pin.requirement for pin in pins.values()), encoding="utf-8")
    arguments = ["venv", "--quiet", "--relocatable", "--no-project", "--python", sys.executable]
    run_program([str(uv), *arguments, str(destination)], scratch, _QUIET)
    # Compiled now, since where it runs nobody may write to it.
    arguments = ["pip", "install", "--quiet", "--require-hashes", "--compile-bytecode"]
    arguments += ["--only-binary", ":all:", "--python", str(destination / "bin" / "python")]
    run_program([str(uv), *arguments, "--requirements", str(requirements)], scratch, _QUIET)
    return pins[source.distribution].version
