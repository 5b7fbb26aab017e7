"""Make a git repository of the library, with the commit that brings its bug on top.

    python make_history.py DESTINATION

Same content, same names and same dates every time, so the commits have the same hashes. Prints the
hash of the last commit. Exit codes: 0 made, 2 wrong usage (DESTINATION holds something, or git is
missing).
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parent
FIRST_COMMIT = 1770022800
"""Monday 2026-02-02, 09:00 UTC; one commit follows each hour."""

# For a file, pairs of the final text and what stood there before the last commit.
EARLIER = {
    "src/durations.js": (
        (
            "A duration in its two largest units: 3725 seconds are `1 h 2 min`.",
            "A duration in all of its units: 3725 seconds are `1 h 2 min 5 s`.",
        ),
        (
            """    if (rest >= size && parts.length < 2) {
      const count = Math.floor(rest / size);
      parts.push(`${count} ${unit}`);
      rest -= size;
    }
""",
            """    const count = Math.floor(rest / size);
    if (count > 0) {
      parts.push(`${count} ${unit}`);
    }
    rest -= count * size;
""",
        ),
    ),
    "test/durations.test.js": (
        (
            """  it("gives the two largest units", () => {
    assert.equal(formatDuration(3725), "1 h 2 min");
    assert.equal(formatDuration(86400 + 3600 + 60), "1 d 1 h");
  });
""",
            """  it("gives all units", () => {
    assert.equal(formatDuration(3725), "1 h 2 min 5 s");
    assert.equal(formatDuration(86400 + 3600 + 60), "1 d 1 h 1 min");
  });
""",
        ),
        ('(7384), "2 h 3 min"', '(7384), "2 h 3 min 4 s"'),
    ),
    "README.md": (
        ('formatDuration(7384); // "2 h 3 min"', 'formatDuration(7384); // "2 h 3 min 4 s"'),
    ),
}
COMMITS = (
    (
        "feat: format durations, prices and lists",
        (
            ".gitignore",
            "README.md",
            "package.json",
            "src/durations.js",
            "src/index.js",
            "src/lists.js",
            "src/prices.js",
            "test/durations.test.js",
            "test/lists.test.js",
            "test/prices.test.js",
        ),
    ),
    ("chore: deliver with Regreen", ("regreen.yaml",)),
    ("feat(durations): give the two largest units only", tuple(EARLIER)),
)


def main(arguments: list[str]) -> int:
    """Make the history in the folder that is named on the command line."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        return refuse("usage: python make_history.py DESTINATION")
    destination = Path(arguments[0]).absolute()
    if destination.exists() and (not destination.is_dir() or any(destination.iterdir())):
        return refuse(f"{destination} is not empty; name a folder that is new or empty")
    if shutil.which("git") is None:
        return refuse("git was not found; install it and try again")
    destination.mkdir(parents=True, exist_ok=True)
    git(destination, "init", "--quiet", "--template=", "--initial-branch=main")
    for number, (message, files) in enumerate(COMMITS):
        for name in files:
            target = destination / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text_of(name, last=number == len(COMMITS) - 1), "utf-8")
        moment = FIRST_COMMIT + number * 3600
        git(destination, "add", "--", *files, moment=moment)
        git(destination, "commit", "--quiet", "--no-verify", "-m", message, moment=moment)
    print(git(destination, "rev-parse", "HEAD"))
    return 0


def refuse(reason: str) -> int:
    """Say on stderr why nothing was made; gives the exit code."""
    print(f"make_history: {reason}", file=sys.stderr)
    return 2


def text_of(name: str, *, last: bool) -> str:
    """A file of the example, as it stands after the last commit or stood before it."""
    text = (EXAMPLE / name).read_text("utf-8")
    for final, before in () if last else EARLIER.get(name, ()):
        if text.count(final) != 1:
            raise SystemExit(f"make_history: {name} does not hold exactly once: {final!r}")
        text = text.replace(final, before)
    return text


def git(repository: Path, *arguments: str, moment: int = FIRST_COMMIT) -> str:
    """Run git without anybody's configuration, so that every machine makes the same commits."""
    settings = ("core.hooksPath=/dev/null", "core.autocrlf=false", "core.excludesFile=/dev/null")
    options = [part for setting in settings for part in ("-c", setting)]
    identity = {"NAME": "Library Example", "EMAIL": "library@example.invalid"}
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
        }
        | {f"GIT_{who}_DATE": f"{moment} +0000" for who in ("AUTHOR", "COMMITTER")},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout.strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
