"""Make a git repository of the library, with the commit that brings its bug on top.

    python make_history.py DESTINATION

Same content, same names and same dates every time, so the commits have the same hashes. Prints the
hash of the last commit. Exit codes: 0 made, 2 wrong usage (DESTINATION holds something, or git is
missing).
"""

import sys
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parent
sys.path.insert(0, str(EXAMPLE.parent))

from history import History, Step  # noqa: E402

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

STEPS = (
    Step(
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
        EARLIER,
    ),
    Step("chore: deliver with Regreen", ("regreen.yaml",)),
    Step("feat(durations): give the two largest units only", tuple(EARLIER)),
)

if __name__ == "__main__":
    # The first commit is of Monday 2026-02-02, 09:00 UTC.
    history = History(EXAMPLE, "Library Example", "library@example.invalid", 1770022800, STEPS)
    sys.exit(history.replay(sys.argv[1:]))
