"""The repositories that the benchmark delivers: the storefront with its bug mended."""

import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "storefront"

_CHANGES = (
    ("src/storefront/discounts.py", "if quantity > pieces:", "if quantity >= pieces:"),
    ("regreen.yaml", "required: always", "required: never"),
)
_IDENTITY = ("-c", "user.name=Benchmark", "-c", "user.email=benchmark@example.invalid")
_NAME = "https://git.invalid/benchmark/storefront.git"


def make_base(folder: Path) -> None:
    """Make the storefront's repository at `folder`, green and released without approval."""
    _run([sys.executable, str(EXAMPLE / "make_history.py"), str(folder)], folder.parent)
    for name, before, after in _CHANGES:
        path = folder / name
        text = path.read_text("utf-8")
        if text.count(before) != 1:
            raise RuntimeError(f"{name} does not hold exactly once: {before!r}")
        path.write_text(text.replace(before, after), "utf-8")
    _git(folder, "commit", "--quiet", "--all", "-m", "fix(discounts): include each tier's limit")


def make_copy(base: Path, folder: Path) -> None:
    """Clone `base` to `folder` with one more commit, so that no run finds an earlier one's work.

    All copies have the same `origin`, hence the same repository's name and package cache.
    """
    _git(base, "clone", "--quiet", str(base), str(folder))
    _git(folder, "remote", "set-url", "origin", _NAME)
    _git(folder, "commit", "--quiet", "--allow-empty", "-m", f"chore: deliver {folder.name}")


def _git(folder: Path, *arguments: str) -> None:
    _run(["git", *_IDENTITY, *arguments], folder)


def _run(command: list[str], folder: Path) -> None:
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
