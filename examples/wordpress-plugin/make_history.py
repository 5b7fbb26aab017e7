"""Make a git repository of the plugin, with its history.

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

PLUGIN = "readable-reading-time.php"
PHP = (EXAMPLE / PLUGIN).read_text("utf-8")
ENQUEUE = PHP[PHP.index("\nadd_action(\n\t'admin_enqueue_scripts'") :]

# For a file, pairs of the final text and what stood there before the last commit.
EARLIER = {
    PLUGIN: (
        (ENQUEUE, ""),
        ("Version:           0.2.0", "Version:           0.1.0"),
        ("_VERSION', '0.2.0'", "_VERSION', '0.1.0'"),
        ("; admin/minutes.js counts in the same way.", "."),
        ("; its example is kept up to date by admin/settings.js.", "."),
        (' <span id="%1$s_example"></span>', ""),
    ),
    "readme.txt": (
        ("Stable tag: 0.2.0", "Stable tag: 0.1.0"),
        (", with an example beside it.", "."),
        ("= 0.2.0 =\n* An example beside the setting.\n\n", ""),
    ),
}

STEPS = (
    Step("feat: say how long a post takes to read", (PLUGIN, "readme.txt"), EARLIER),
    Step(
        "feat(settings): show an example beside the pace",
        (
            ".gitignore",
            "README.md",
            "admin/minutes.js",
            "admin/settings.js",
            "package.json",
            PLUGIN,
            "readme.txt",
            "tests/minutes.test.js",
            "tests/settings.test.js",
        ),
    ),
    Step("chore: deliver with Regreen", ("regreen.yaml",)),
)

if __name__ == "__main__":
    # The first commit is of Monday 2026-03-02, 09:00 UTC.
    history = History(EXAMPLE, "Plugin Example", "plugin@example.invalid", 1772442000, STEPS)
    sys.exit(history.replay(sys.argv[1:]))
