"""The names of the guard's rules, and what each one refuses. `docs/guard.md` lists the same."""

PATH_RULES: dict[str, str] = {
    "test-file": "a test module, conftest.py or anything in a folder of tests",
    "snapshot-file": "a snapshot, golden file, recorded cassette or test fixture",
    "test-configuration": "the configuration of test runner, coverage, linters or build commands",
    "ci-configuration": "the configuration of a continuous-integration service",
    "policy-file": "regreen.yaml, CODEOWNERS, and instructions for coding agents",
    "dependency-manifest": "a file that declares dependencies",
    "lock-file": "a lock file",
    "dot-path": "a file or folder whose name begins with a dot",
    "secret-file": "a file that holds keys or credentials",
    "startup-hook": "sitecustomize, usercustomize or a .pth file",
    "shadowing-module": "a new module named like the standard library or the test tools, and "
    "installed packages",
    "foreign-code": "scripts, notebooks, compiled code, and languages that no rule can read",
}
"""Rules about a file's path. A policy may open a path, with a stated reason."""

FILE_RULES: dict[str, str] = {
    "path-escape": "an absolute path, `..`, a backslash, a control character, or a path in .git",
    "waiver-file": "a waiver of gates: anything in the folder `.vex`",
    "symlink": "adding, changing or removing a symbolic link",
    "submodule": "adding, changing or removing a submodule",
    "file-mode": "a changed file mode, or a new file that is executable",
    "binary-file": "a file that is not text",
    "deleted-file": "removing a whole file",
    "patch-size": "more than 10 files, 200 changed lines or 50,000 changed bytes",
}
"""Rules about a file as a whole, and about the patch. Nothing opens them."""

CODE_RULES: dict[str, str] = {
    "syntax-error": "Python that does not parse",
    "disguised-text": "hidden characters, look-alike names, unusual encodings",
    "test-skip": "new skips, expected failures, and marks that take tests out of the run",
    "test-runner-detection": "new code that finds out whether a test runner is at work",
    "test-access": "new code that imports, opens or looks for the tests",
    "removed-test": "a test that is removed, renamed or no longer collected",
    "removed-assertion": "an assertion that was removed or changed",
    "swallowed-exception": "a new handler that is bare, broad or empty and does not raise again",
    "suppressed-warning": "new noqa, type: ignore, no cover and the like; new warning filters",
    "added-delay": "a new sleep, idle loop, second try or retry library",
    "longer-timeout": "a raised time-out, deadline or number of retries",
    "process-exit": "a new way to end the process",
    "rigged-comparison": "a comparison or truth value that is always true or put in from outside",
    "copied-literal": "a value from the failing test given as the answer",
    "dynamic-code": "new use of eval, exec, compile, dynamic imports, frames, ctypes",
    "process-use": "new use of subprocesses and signals",
    "network-use": "new use of the network",
    "patched-module": "new assignments to attributes of an imported module",
    "lost-comment": "a comment that disappears",
    "lost-docstring": "a docstring that disappears",
    "tampering-text": "in files other than code: new text that skips, ignores or suppresses",
}
"""Rules about what the text means."""

RULES: dict[str, str] = {**PATH_RULES, **FILE_RULES, **CODE_RULES}
"""Every rule by its name."""

NEVER_OPEN: frozenset[str] = frozenset(
    {*FILE_RULES, "policy-file", "secret-file", "syntax-error", "disguised-text"}
)
"""Rules that `heal.open_rules` cannot open: without them a patch cannot be read or bounded."""
