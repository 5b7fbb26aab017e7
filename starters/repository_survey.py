"""What a repository has, found in its files without running any of them."""

import json
import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

_LARGEST = 1 << 20
_TEST_FILE = re.compile(r"(?:^|/)(?:test_[^/]*|[^/]*_test)\.py$")
_STAGE_FOLDERS = {
    "unit": ("unit", "unit_tests", "unittests"),
    "integration": ("integration", "integration_tests", "integrations"),
    "e2e": ("e2e", "end_to_end", "endtoend", "functional", "acceptance", "system"),
}
_K6 = re.compile(r"""(?:from|require\()\s*['"]k6(?:/[a-z]+)?['"]""")
_LOOPBACK = re.compile(r"https?://(?:127\.0\.0\.1|localhost):\d+(?:/[\w./-]*)?")
_BASE_URL = re.compile(r"__ENV\.(\w+)")
_LINTERS = {"ruff.toml", ".ruff.toml"}
_PLUGIN_HEADER = re.compile(r"^(?:[ \t]*<\?php)?[ \t/*#@]*Plugin Name:", re.MULTILINE)
_HEADER_CHARACTERS = 8192
_FOREIGN = frozenset({"vendor", "node_modules", "tests", "test"})
_SARIF_FORMATTER = "@microsoft/eslint-formatter-sarif"
_ESLINT_SETTINGS = re.compile(r"eslint\.config\.[cm]?[jt]s|\.eslintrc(?:\.\w+)?")
_LINT_REPORT = "reports/eslint.sarif"
_NODE_REPORT = "reports/unit.xml"
# What Node's runner finds by itself (nodejs.org/api/test.html, "Running tests from the command
# line"), and a script that names files for it or for Node.
_NODE_TEST = re.compile(
    r"(?:^|/)(?:test|test-[^/]*|[^/]*[.\-_]test)\.[cm]?js$|(?:^|/)test/.*\.[cm]?js$"
)
_NODE_SCRIPT = re.compile(r"node(?: --test)?((?: [\w./][\w./-]*)*)")


@dataclass(frozen=True)
class Tests:
    """How the tests of one stage run."""

    __test__ = False

    stage: str
    paths: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    report: str = ""
    why: str = ""
    """Where it was seen, for a comment."""


@dataclass(frozen=True)
class Load:
    """A k6 script, and the address that it asks."""

    script: str
    url: str = ""
    variable: str = ""
    """The variable `__ENV.…` in which it expects the address."""


@dataclass(frozen=True)
class Linter:
    """A linter of the repository that can write SARIF."""

    name: str
    command: tuple[str, ...]
    sarif: str
    files: tuple[str, ...]
    """Patterns of the files that it is about."""


@dataclass(frozen=True)
class Survey:
    """What was found."""

    tests: tuple[Tests, ...]
    load: Load | None = None
    ruff: bool = False
    """Whether ruff is configured."""
    python: bool = False
    """Whether there are Python sources."""
    linter: Linter | None = None
    packaged: bool = False
    """Whether there is a Python package to build."""
    plugin: str | None = None
    """The folder of the WordPress plugin; None where there is none, or more than one."""
    versions: bool = False
    """Whether there are tags such as `v1.2.0`."""
    remarks: tuple[str, ...] = ()
    """What a person has to do that no file can say."""


def survey(root: Path, files: Sequence[str], tags: Iterable[str]) -> Survey:
    """Look at the tracked files of a repository; `files` are paths below `root`."""
    pyproject = _toml(root / "pyproject.toml") if "pyproject.toml" in files else {}
    python_tests = [name for name in files if _TEST_FILE.search(name)]
    tests = _pytest_stages(python_tests) if python_tests else []
    remarks: list[str] = []
    if not tests:
        found, remark = _node_tests(root, files)
        tests += found
        remarks += remark
    if not tests and not {"phpunit.xml", "phpunit.xml.dist"}.isdisjoint(files):
        tests.append(_phpunit())
    if not tests and "go.mod" in files:
        tests.append(_gotestsum())
    linter = _eslint(root, files)
    remarks += _silent_linters(root, files, linter)
    return Survey(
        tests=tuple(tests),
        load=_load(root, files),
        ruff="ruff" in _table(pyproject, "tool") or not _LINTERS.isdisjoint(files),
        python=any(name.endswith(".py") for name in files),
        linter=linter,
        packaged="build-system" in pyproject or "setup.py" in files,
        plugin=_plugin(root, files),
        versions=any(re.fullmatch(r"v\d+\.\d+\.\d+", tag) for tag in tags),
        remarks=tuple(remarks),
    )


def _pytest_stages(names: Sequence[str]) -> list[Tests]:
    """Stages by the folders in which the tests lie; without such folders all are unit tests."""
    by_stage: dict[str, dict[str, None]] = {}
    others: dict[str, None] = {}
    for name in names:
        parts = PurePosixPath(name).parts[:-1]
        place = next(
            (
                (stage, index)
                for index, part in enumerate(parts)
                for stage, folders in _STAGE_FOLDERS.items()
                if part.lower().replace("-", "_") in folders
            ),
            None,
        )
        if place is None:
            others["/".join(parts) or name] = None
        else:
            stage, index = place
            by_stage.setdefault(stage, {})["/".join(parts[: index + 1])] = None
    if not by_stage:
        return [Tests("unit", why="pytest finds them by itself")]
    unit = [*by_stage.pop("unit", {}), *_outermost(others, by_stage)]
    found = [Tests("unit", tuple(unit), why="the folders of the other tests")] if unit else []
    for stage in ("integration", "e2e"):
        if stage in by_stage:
            found.append(Tests(stage, tuple(by_stage[stage]), why="the folder's name"))
    if not unit:
        # The unit stage always runs; with nothing of its own it takes the first that there is.
        first = found.pop(0)
        found.insert(0, Tests("unit", first.paths, why=f"there are only {first.stage} tests"))
    return found


def _outermost(folders: Iterable[str], taken: dict[str, dict[str, None]]) -> list[str]:
    """The folders without those below others, and without what would take in another stage's."""
    stages = [folder for each in taken.values() for folder in each]
    kept: list[str] = []
    for folder in sorted(folders):
        if any(folder == other or folder.startswith(f"{other}/") for other in kept):
            continue
        if not any(stage.startswith(f"{folder}/") for stage in stages):
            kept.append(folder)
    return kept


def _node_tests(root: Path, files: Sequence[str]) -> tuple[list[Tests], list[str]]:
    if "package.json" not in files:
        return [], []
    package = _json(root / "package.json")
    script = str(_table(package, "scripts").get("test", ""))
    known = {**_table(package, "dependencies"), **_table(package, "devDependencies")}
    why = f"`npm test` is `{script}`" if script else "package.json"
    command: tuple[str, ...]
    installed = ["node_modules has to be in the repository or on the machine: nothing is installed"]
    if "vitest" in known or "vitest" in script:
        command = ("node_modules/.bin/vitest", "run", "--reporter=junit")
        command += (f"--outputFile={_NODE_REPORT}",)
        return [Tests("unit", (), command, _NODE_REPORT, why)], installed
    if "jest" in known or "jest" in script:
        command = ("node_modules/.bin/jest", "--ci", "--reporters=jest-junit")
        remark = "jest needs the package jest-junit, which writes junit.xml"
        return [Tests("unit", (), command, "junit.xml", why)], [*installed, remark]
    if "mocha" in known or "mocha" in script:
        command = ("node_modules/.bin/mocha", "--reporter", "xunit")
        command += ("--reporter-option", f"output={_NODE_REPORT}")
        return [Tests("unit", (), command, _NODE_REPORT, why)], installed
    named = _named_tests(script, files)
    own = [name for name in files if "node_modules/" not in name]
    if named or "node --test" in script or any(map(_NODE_TEST.search, own)):
        command = ("node", "--test", "--test-reporter=spec", "--test-reporter-destination=stdout")
        command += ("--test-reporter=junit", f"--test-reporter-destination={_NODE_REPORT}")
        command += named
        return [Tests("unit", (), command, _NODE_REPORT, why)], []
    return [], []


def _named_tests(script: str, files: Sequence[str]) -> tuple[str, ...]:
    """The files and folders that a script gives to Node, where all of them are in the tree."""
    found = _NODE_SCRIPT.fullmatch(script)
    named = tuple(found[1].split()) if found else ()
    for path in named:
        name = str(PurePosixPath(path))
        if not any(each == name or each.startswith(f"{name}/") for each in files):
            return ()
    return named


def _eslint(root: Path, files: Sequence[str]) -> Linter | None:
    """ESLint, where the formatter that writes SARIF is among the packages."""
    package = _json(root / "package.json") if "package.json" in files else {}
    known = {**_table(package, "dependencies"), **_table(package, "devDependencies")}
    if "eslint" not in known or _SARIF_FORMATTER not in known:
        return None
    words = ("--format", _SARIF_FORMATTER, "--output-file", _LINT_REPORT, ".")
    endings = (".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx")
    present = tuple(f"*{each}" for each in endings if any(name.endswith(each) for name in files))
    if not present:
        return None
    return Linter("eslint", ("node_modules/.bin/eslint", *words), _LINT_REPORT, present)


def _silent_linters(root: Path, files: Sequence[str], linter: Linter | None) -> list[str]:
    """What to do about linters that are configured and cannot report, a line each."""
    remarks = []
    sections = (name for name in ("setup.cfg", "tox.ini") if name in files)
    if ".flake8" in files or any("\n[flake8]" in f"\n{_text(root / each)}" for each in sections):
        remarks.append(
            "flake8 is configured and does not run, since it writes no SARIF; ruff has most of its "
            "rules, and with `lint: {tools: [ruff]}` all that it finds blocks"
        )
    if linter is None and any(_ESLINT_SETTINGS.fullmatch(name) for name in files):
        remarks.append(
            f"ESLint is configured and does not run; it reports by the package {_SARIF_FORMATTER}"
        )
    return remarks


def _phpunit() -> Tests:
    command = ("vendor/bin/phpunit", "--log-junit", "reports/phpunit.xml")
    return Tests("unit", (), command, "reports/phpunit.xml", "phpunit.xml")


def _gotestsum() -> Tests:
    command = ("gotestsum", "--junitfile", "reports/go.xml", "./...")
    return Tests("unit", (), command, "reports/go.xml", "go.mod")


def _load(root: Path, files: Sequence[str]) -> Load | None:
    for name in sorted(files):
        if not name.endswith((".js", ".ts")) or "node_modules/" in name:
            continue
        text = _text(root / name)
        if _K6.search(text) and "export default" in text:
            url, variable = _LOOPBACK.search(text), _BASE_URL.search(text)
            return Load(name, url[0] if url else "", variable[1] if variable else "")
    return None


def _plugin(root: Path, files: Sequence[str]) -> str | None:
    """The folder whose PHP file has a plugin's header."""
    found = [
        name
        for name in files
        if name.endswith(".php")
        and _FOREIGN.isdisjoint(PurePosixPath(name).parts)
        and _PLUGIN_HEADER.search(_text(root / name)[:_HEADER_CHARACTERS])
    ]
    return str(PurePosixPath(found[0]).parent) if len(found) == 1 else None


def _text(path: Path) -> str:
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > _LARGEST:
            return ""
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


def _table(document: dict[str, object], name: str) -> dict[str, object]:
    """A part of a file that a person wrote, where it is what it should be."""
    found = document.get(name)
    return found if isinstance(found, dict) else {}


def _toml(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(_text(path))
    except (tomllib.TOMLDecodeError, RecursionError):
        return {}


def _json(path: Path) -> dict[str, object]:
    try:
        found = json.loads(_text(path))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
