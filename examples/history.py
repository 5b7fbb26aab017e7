"""The history of an example, replayed from the files of its last commit.

Same content, same names and same dates every time, so the commits have the same hashes.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

HOUR = 3600

Earlier = tuple[tuple[str, str], ...]
"""Pairs of the final text and what stood there at an earlier time."""


@dataclass(frozen=True)
class Step:
    """A commit: its message, the files it adds or brings to their next text, and a tag on it."""

    message: str
    files: tuple[str, ...]
    earlier: dict[str, Earlier] = field(default_factory=dict)
    """By file, where it did not have its final text yet."""
    tag: str | None = None


@dataclass(frozen=True)
class History:
    """An example's commits; one follows each hour."""

    folder: Path
    """The example's own folder, which holds the files of the last commit."""
    author: str
    address: str
    first_commit: int
    """Seconds since 1970, UTC."""
    steps: tuple[Step, ...]

    def replay(self, arguments: list[str]) -> int:
        """Make the repository in the folder that is named on the command line.

        Prints the hash of the last commit. Gives the exit code: 0 made, 2 wrong usage (the folder
        holds something, or git is missing).
        """
        if len(arguments) != 1 or arguments[0].startswith("-"):
            return _refuse("usage: python make_history.py DESTINATION")
        destination = Path(arguments[0]).absolute()
        if destination.exists() and not destination.is_dir():
            return _refuse(f"{destination} is not a folder; name one that is new or empty")
        if destination.is_dir() and any(destination.iterdir()):
            return _refuse(f"{destination} is not empty; name a folder that is new or empty")
        if shutil.which("git") is None:
            return _refuse("git was not found; install it and try again")
        destination.mkdir(parents=True, exist_ok=True)
        self._git(destination, "init", "--quiet", "--template=", "--initial-branch=main")
        for number, step in enumerate(self.steps):
            self._commit(destination, step, self.first_commit + number * HOUR)
        print(self._git(destination, "rev-parse", "HEAD"))
        return 0

    def _commit(self, repository: Path, step: Step, moment: int) -> None:
        for name in step.files:
            target = repository / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(self._text(name, step.earlier.get(name, ())).encode())
        self._git(repository, "add", "--", *step.files, moment=moment)
        words = ("commit", "--quiet", "--no-verify", "-m", step.message)
        self._git(repository, *words, moment=moment)
        if step.tag is not None:
            message = f"{self.folder.name} {step.tag}"
            self._git(repository, "tag", "-a", "-m", message, step.tag, moment=moment)

    def _text(self, name: str, earlier: Earlier) -> str:
        text = (self.folder / name).read_bytes().decode()
        for final, before in earlier:
            if text.count(final) != 1:
                raise SystemExit(f"make_history: {name} does not hold exactly once: {final!r}")
            text = text.replace(final, before)
        return text

    def _git(self, repository: Path, *arguments: str, moment: int | None = None) -> str:
        """Run git without anybody's configuration, so that all machines make the same commits."""
        settings = (
            "core.hooksPath=/dev/null",
            "core.autocrlf=false",
            "core.excludesFile=/dev/null",
        )
        options = [part for setting in settings for part in ("-c", setting)]
        date = f"{self.first_commit if moment is None else moment} +0000"
        identity = {"NAME": self.author, "EMAIL": self.address, "DATE": date}
        return subprocess.run(
            ["git", *options, *arguments],
            cwd=repository,
            env={
                "PATH": os.environ.get("PATH", os.defpath),
                "GIT_CONFIG_GLOBAL": os.devnull,
                "GIT_CONFIG_SYSTEM": os.devnull,
                "LC_ALL": "C",
            }
            | {
                f"GIT_{who}_{key}": text
                for who in ("AUTHOR", "COMMITTER")
                for key, text in identity.items()
            },
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout.strip()


def _refuse(reason: str) -> int:
    print(f"make_history: {reason}", file=sys.stderr)
    return 2
