"""Debian packages that tests compare with or run, unpacked once into this environment."""

import sys
import tempfile
from pathlib import Path

from regreen.tools.catalogue import DebianPackage
from regreen.tools.debian import unpack_debian_package


def unpacked_once(package: DebianPackage, name: str) -> Path:
    """The folder with a package's contents, which is called `name` and kept."""
    kept = Path(sys.prefix) / "share" / "regreen" / "tests" / name
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
            scratch, made = Path(folder) / "scratch", Path(folder) / "made"
            scratch.mkdir()
            unpack_debian_package(package, scratch, made)
            try:
                made.rename(kept)
            except OSError:
                # Another test process was first.
                assert kept.exists()
    return kept
