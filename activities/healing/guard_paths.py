"""The guard's path policy: which files a heal may not touch, whatever it writes into them."""

import re
import sys
from pathlib import PurePosixPath

from activities.healing.guard_change import (
    EXECUTABLE,
    REGULAR,
    SUBMODULE,
    SYMLINK,
    ChangedFile,
)
from regreen.contracts.healing import Refusal
from regreen.guard_rules import PATH_RULES

_TEST_FOLDERS = {"test", "tests", "__tests__", "__mocks__", "androidtest", "cypress", "e2e"}
_TEST_FOLDER_NAMES = re.compile(
    r".*[._-](?:unit|integration|functional|e2e)?tests?|(?:unit|integration|functional|e2e)tests"
)
_SNAPSHOT_FOLDERS = {"__snapshots__", "snapshots", "golden", "goldens", "fixtures", "testdata"}
_SNAPSHOT_FOLDERS |= {"test_data", "cassettes", "baselines"}
_SNAPSHOT_NAMES = (r".*\.(snap|ambr|golden|expected)", r".*\.(approved|golden|expected)\..*")
_PYTHON_TEST_NAMES = (r"test_.*\.pyi?", r".*_tests?\.pyi?", r"tests?\.pyi?", r"conftest\.pyi?")
_TEST_NAMES = (
    *_PYTHON_TEST_NAMES,
    r".*[._-](test|tests|spec|cy|e2e)\.([cm]?[jt]sx?|vue|svelte)",
    r".*_(test|tests|spec|unittest)\.(go|rb|dart|c|cc|cpp|cxx|rs|exs|php|swift|lua)",
    r"test_.*\.(rb|c|cc|cpp|cxx|rs|php|[cm]?js|ts|dart)",
    r"tests\.rs",
)
# Upper and lower case matter here: Latest.java is no test, but OrderTest.java is one.
_TEST_CLASSES = re.compile(
    r"(?:Test[A-Z0-9]\w*|\w*(?:Test|Tests|TestCase|Spec|Specs|IT))\.(?:java|kts?|cs|swift|php|scala|vb)"
)
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
    r"(jest|vitest|playwright|cypress|karma|ava|wdio|babel|vite|webpack|rollup|esbuild|tsup|eslint"
    r"|prettier|stylelint|nyc|swc|metro|protractor|nightwatch)\.(config|conf|workspace|setup)\..*",
    r"\.?(mocharc|eslintrc|babelrc|nycrc|swcrc|prettierrc|rspec|jshintrc|stylelintrc)(\..*)?",
    r"(setup-?tests?|test-?setup)\.[cm]?[jt]sx?",
    r"(ts|js)config([.-].*)?\.json",
    r"(gruntfile|gulpfile)(\..*)?",
    r"(deno|nx|turbo|lerna|angular|project)\.jsonc?",
    r"phpunit(\..*)?\.xml(\.dist)?",
    r"(phpstan|psalm).*\.(neon|xml)(\.dist)?",
    r"(rakefile|cmakelists\.txt|meson\.build|build\.rs|build(\.bazel)?|workspace(\.bazel)?)",
    r".*\.(bazel|bzl|runsettings|cmake)",
    r"(testng|checkstyle|pmd|spotbugs).*\.xml",
    r"\.?(golangci|detekt|swiftlint|rubocop|clang-tidy|clang-format)(\..*)?",
    r"(junit-platform|gradle)\.properties",
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
    r"(package|composer|bower)\.json",
    r"(cargo\.toml|go\.(mod|work))",
    r"(gemfile|podfile|cartfile|package\.swift|pubspec\.ya?ml|mix\.exs|build\.sbt|project\.clj)",
    r".*\.(gemspec|podspec|csproj|fsproj|vbproj|vcxproj|sln|gradle|nuspec)",
    r"(build|settings)\.gradle\.kts",
    r"pom\.xml",
    r"(directory\..*\.(props|targets)|nuget\.config|packages\.config|global\.json)",
    r"pnpm-workspace\.ya?ml",
    r"manifest\.in",
)
_LOCK_FILES = (
    r".*\.lock",
    r".*\.lockb",
    r"pylock.*\.toml",
    r"(package-lock|npm-shrinkwrap)\.json",
    r"pnpm-lock\.ya?ml",
    r"go(\.work)?\.sum",
    r"(packages\.lock\.json|package\.resolved|gradle\.lockfile)",
)
_SECRET_FILES = (
    r".*\.env",
    r"\.env.*",
    r".*\.(pem|key|p12|pfx|jks|keystore|kdbx|ppk|asc|gpg)",
    r"id_(rsa|dsa|ecdsa|ed25519).*",
    r"(credentials?|secrets?)(\.(json|ya?ml|toml|ini|txt))?",
    r"\.?(netrc|pgpass|htpasswd|pypirc|npmrc)",
)
_STARTUP_HOOKS = (r"(site|user)customize\.pyi?", r".*\.pth")
_STARTUP_FOLDERS = {"sitecustomize", "usercustomize"}
_INSTALLED = {
    "node_modules",
    "bower_components",
    "site-packages",
    "dist-packages",
    "__pypackages__",
}
_FOREIGN_CODE = (
    r".*\.(sh|bash|zsh|ksh|csh|fish|bat|cmd|ps1|psm1|vbs|awk|sed|tcl|applescript)",
    r".*\.(pyx|pxd|pyc|pyo|pyd|so|dll|dylib|exe|wasm|wat|ipynb|jar|war|class|node|a|o|lib)",
    r".*\.(pl|pm|t|lua|r|rmd|jl|groovy|coffee|hs|ml|mli|exs?|erl|clj[cs]?|zig|nim|d|asm|s|f\d\d"
    r"|lisp|el|scm|rkt|pas|vb|cob|adb|v|sv|vhd|elm|cr)",
)
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
    return _path_rule(path) == "test-file"


def check_path(change: ChangedFile) -> list[Refusal]:
    """Refuse a change for the place, kind or mode of its file; empty when all of it is allowed."""
    escape = _escape(change.path)
    if escape:
        return [_refuse("path-escape", change.path, escape)]
    if change.path.lower().split("/")[0] == ".vex":
        return [_refuse("waiver-file", change.path, "a heal may not excuse what gates find")]
    found = _file_rules(change)
    rule = _path_rule(change.path) or _content_rule(change)
    if rule:
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
    is_test_class = _TEST_CLASSES.fullmatch(path.rsplit("/", maxsplit=1)[-1]) is not None
    *folders, name = path.lower().split("/")

    def named(patterns: tuple[str, ...]) -> bool:
        return any(re.fullmatch(pattern, name) for pattern in patterns)

    python = PurePosixPath(name).suffix in _PYTHON_SUFFIXES
    in_snapshots = "__snapshots__" in folders or (
        not python and not _SNAPSHOT_FOLDERS.isdisjoint(folders)
    )
    requirements = "requirements" in folders
    in_tests = not _TEST_FOLDERS.isdisjoint(folders) or any(
        _TEST_FOLDER_NAMES.fullmatch(folder) for folder in folders
    )
    in_tests |= "spec" in folders and name.endswith((".rb", ".js", ".ts", ".php"))
    rules = (
        ("secret-file", named(_SECRET_FILES)),
        ("shadowing-module", not _INSTALLED.isdisjoint(folders)),
        ("test-file", named(_TEST_NAMES) or is_test_class or in_tests),
        ("snapshot-file", named(_SNAPSHOT_NAMES) or in_snapshots),
        ("policy-file", named(_POLICY_FILES)),
        ("test-configuration", named(_TEST_CONFIGURATION)),
        ("ci-configuration", named(_CI_CONFIGURATION)),
        ("lock-file", named(_LOCK_FILES)),
        ("dependency-manifest", named(_MANIFESTS) or (requirements and not python)),
        (
            "startup-hook",
            named(_STARTUP_HOOKS) or not _STARTUP_FOLDERS.isdisjoint(folders),
        ),
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
