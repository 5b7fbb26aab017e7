"""The guard's path policy: which files a heal may not touch, whatever it writes into them."""

import re
import sys
from collections.abc import Mapping
from pathlib import PurePosixPath

from activities.healing.guard_change import (
    EXECUTABLE,
    REGULAR,
    SUBMODULE,
    SYMLINK,
    ChangedFile,
)
from activities.healing.guard_rules import PATH_RULES
from regreen.contracts.healing import Refusal

_TEST_FOLDERS = {"test", "tests"}
_SNAPSHOT_FOLDERS = {"__snapshots__", "snapshots", "golden", "goldens", "fixtures", "testdata"}
_SNAPSHOT_FOLDERS |= {"test_data", "cassettes", "baselines"}
_SNAPSHOT_NAMES = (r".*\.(snap|ambr|golden|expected)", r".*\.(approved|golden|expected)\..*")
_TEST_NAMES = (r"test_.*\.pyi?", r".*_tests?\.pyi?", r"tests?\.pyi?", r"conftest\.pyi?")
_TEST_CONFIGURATION = (
    r"pytest\.(ini|toml)",
    r"tox\.(ini|toml)",
    r"setup\.cfg",
    r"pyproject\.toml",
    r"noxfile\.py",
    r"coverage\.(ini|toml)",
    r"mypy\.ini",
    r"ruff\.toml",
    r"pylintrc",
    r"pyrightconfig\.json",
    r"(gnu)?makefile",
    r".*\.mk",
    r"justfile",
    r"taskfile\.ya?ml",
)
_CI_CONFIGURATION = (
    r"jenkinsfile.*",
    r"azure-pipelines.*\.ya?ml",
    r"appveyor\.ya?ml",
    r"bitbucket-pipelines\.ya?ml",
    r"cloudbuild\.(ya?ml|json)",
    r"buildspec.*\.ya?ml",
    r"(codecov|codemagic|wercker)\.ya?ml",
)
_POLICY_FILES = (r"regreen\.ya?ml", r"codeowners", r"(agents|claude|gemini)\.md")
_MANIFESTS = (
    r"(.*[-_.])?(requirements|constraints)([-_.].*)?\.(txt|in)",
    r"setup\.py",
    r"pipfile",
    r"(environment|conda)[^/]*\.ya?ml",
    r"(package|composer)\.json",
    r"(cargo|go)\.(toml|mod)",
    r"gemfile",
    r"manifest\.in",
)
_LOCK_FILES = (
    r".*\.lock",
    r".*\.lockb",
    r"pylock.*\.toml",
    r"(package-lock|npm-shrinkwrap)\.json",
    r"pnpm-lock\.ya?ml",
    r"go\.sum",
)
_SECRET_FILES = (
    r".*\.env",
    r"\.env.*",
    r".*\.(pem|key|p12|pfx|jks|keystore|kdbx|ppk|asc|gpg)",
    r"id_(rsa|dsa|ecdsa|ed25519).*",
    r"(credentials?|secrets?)(\.(json|ya?ml|toml|ini|txt))?",
    r"\.?(netrc|pgpass|htpasswd|pypirc|npmrc)",
)
_STARTUP_HOOKS = (r"(site|user)customize\.py", r".*\.pth")
_FOREIGN_CODE = (
    r".*\.(sh|bash|zsh|fish|bat|cmd|ps1)",
    r".*\.(pyx|pxd|pyc|pyo|pyd|so|dll|dylib|exe|wasm|ipynb)",
    r".*\.([cm]?js|tsx?|jsx|c|cc|cpp|cxx|h|hpp|rs|go|java|kt|rb|php|pl|lua)",
)
_SCRIPT = re.compile(r".*\.([cm]?js|ts)")
_TEST_TOOLS = {"pytest", "_pytest", "pluggy", "coverage", "unittest", "nose", "hypothesis"}
_PYTHON_SUFFIXES = {".py", ".pyi", ".pyw"}
_CONTROL = re.compile(r"[\x00-\x1f\x7f\\]")


def is_python(path: str, content: bytes) -> bool:
    """Whether a file is Python, by its suffix or, without one, by its first line."""
    suffix = PurePosixPath(path).suffix.lower()
    if suffix:
        return suffix in _PYTHON_SUFFIXES
    return content.startswith(b"#!") and b"python" in content.split(b"\n", 1)[0]


def is_test_path(path: str) -> bool:
    """Whether a path belongs to the tests: a test module, conftest.py, or a folder of tests."""
    return _path_rule(path.lower()) == "test-file"


def check_path(change: ChangedFile, open_paths: Mapping[str, str]) -> list[Refusal]:
    """Refuse a change for the place, kind or mode of its file; empty when all of it is allowed.

    `open_paths` maps glob patterns (`**` crosses folders) to the reason why they are open; an
    empty reason opens nothing. It lifts rules about the path only.
    """
    escape = _escape(change.path)
    if escape:
        return [_refuse("path-escape", change.path, escape)]
    found = _file_rules(change)
    rule = _path_rule(change.path.lower()) or _content_rule(change)
    if rule == "foreign-code" and change.before is not None and _SCRIPT.fullmatch(change.path):
        rule = ""
    if rule and not _is_open(change.path, open_paths):
        found.append(_refuse(rule, change.path, f"a heal may not change {PATH_RULES[rule]}"))
    return found


def _refuse(rule: str, path: str, reason: str) -> Refusal:
    # A path that is not UTF-8 could not travel on.
    shown = path.encode("utf-8", "backslashreplace").decode()
    return Refusal(rule=rule, path=shown, line=0, reason=reason)


def _escape(path: str) -> str:
    if not path:
        return "the path is empty"
    if any("\ud800" <= character <= "\udfff" for character in path):
        return "the path is not UTF-8"
    if _CONTROL.search(path):
        return "the path holds a backslash or a control character"
    if path.startswith(("/", "~")) or re.match(r"[A-Za-z]:", path):
        return "the path is not relative to the repository"
    parts = path.lower().split("/")
    if any(part in {"", ".", ".."} for part in parts):
        return "the path leaves the repository or is not in its plain form"
    if any(part.rstrip(". ") == ".git" for part in parts):
        return "the path lies in git's own folder"
    return ""


def _file_rules(change: ChangedFile) -> list[Refusal]:
    modes = {change.before_mode, change.after_mode}
    if SYMLINK in modes:
        return [_refuse("symlink", change.path, "a heal may not touch a symbolic link")]
    if SUBMODULE in modes:
        return [_refuse("submodule", change.path, "a heal may not touch a submodule")]
    if change.after is None:
        return [_refuse("deleted-file", change.path, "a heal may not remove a file")]
    expected = REGULAR if change.before is None else change.before_mode
    found: list[Refusal] = []
    if change.after_mode != expected or change.after_mode not in {REGULAR, EXECUTABLE}:
        mode = "none" if change.after_mode is None else f"{change.after_mode:o}"
        wanted = "none" if expected is None else f"{expected:o}"
        found.append(
            _refuse("file-mode", change.path, f"the file's mode is {mode} and not {wanted}")
        )
    if any(b"\0" in content for content in (change.before, change.after) if content):
        found.append(_refuse("binary-file", change.path, "the file is not text"))
    return found


def _path_rule(path: str) -> str:
    *folders, name = path.split("/")

    def named(patterns: tuple[str, ...]) -> bool:
        return any(re.fullmatch(pattern, name) for pattern in patterns)

    python = PurePosixPath(name).suffix in _PYTHON_SUFFIXES
    in_snapshots = "__snapshots__" in folders or (
        not python and not _SNAPSHOT_FOLDERS.isdisjoint(folders)
    )
    requirements = "requirements" in folders
    rules = (
        ("secret-file", named(_SECRET_FILES)),
        ("test-file", named(_TEST_NAMES) or not _TEST_FOLDERS.isdisjoint(folders)),
        ("snapshot-file", named(_SNAPSHOT_NAMES) or in_snapshots),
        ("policy-file", named(_POLICY_FILES)),
        ("test-configuration", named(_TEST_CONFIGURATION)),
        ("ci-configuration", named(_CI_CONFIGURATION)),
        ("lock-file", named(_LOCK_FILES)),
        ("dependency-manifest", named(_MANIFESTS) or (requirements and not python)),
        ("startup-hook", named(_STARTUP_HOOKS)),
        ("foreign-code", named(_FOREIGN_CODE)),
        ("dot-path", any(part.startswith(".") for part in (*folders, name))),
    )
    return next((rule for rule, holds in rules if holds), "")


def _content_rule(change: ChangedFile) -> str:
    path = PurePosixPath(change.path)
    content = change.after or change.before or b""
    if not path.suffix and content.startswith(b"#!") and not is_python(change.path, content):
        return "foreign-code"
    top_level = path.parts[:-1] in ((), ("src",)) or (
        path.name == "__init__.py" and path.parts[:-2] in ((), ("src",))
    )
    module = path.parent.name if path.name == "__init__.py" else path.stem
    if change.before is None and top_level and is_python(change.path, content):
        known = sys.stdlib_module_names | _TEST_TOOLS
        return "shadowing-module" if module in known else ""
    return ""


def _is_open(path: str, open_paths: Mapping[str, str]) -> bool:
    return any(
        reason.strip() and re.fullmatch(_glob(pattern), path)
        for pattern, reason in open_paths.items()
    )


def _glob(pattern: str) -> str:
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    meanings = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(meanings.get(part, re.escape(part)) for part in parts)
