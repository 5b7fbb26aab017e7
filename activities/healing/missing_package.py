"""What is not installed where tests run, and the file in which to ask for it."""

import difflib
import re
import sys
import tomllib
from pathlib import Path

from regreen.pipeline_file import Pipeline

_MISSING_MODULE = re.compile(r"No module named '([\w.]+)'")
# Node's words. What begins with a dot or a slash is a file of the repository.
_MISSING_NODE_PACKAGE = re.compile(r"Cannot find (?:module|package) '([^'./][^']*)'")
# What a distribution is called when its module is called otherwise.
_DISTRIBUTIONS = {
    "Crypto": "pycryptodome",
    "OpenSSL": "pyOpenSSL",
    "PIL": "Pillow",
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python",
    "dateutil": "python-dateutil",
    "docx": "python-docx",
    "dotenv": "python-dotenv",
    "git": "GitPython",
    "jwt": "PyJWT",
    "pkg_resources": "setuptools",
    "psycopg2": "psycopg2-binary",
    "serial": "pyserial",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "slugify": "python-slugify",
    "yaml": "PyYAML",
    "zmq": "pyzmq",
}
_FIXTURES = {
    "aiohttp_client": "pytest-aiohttp",
    "benchmark": "pytest-benchmark",
    "datadir": "pytest-datadir",
    "django_assert_num_queries": "pytest-django",
    "django_user_model": "pytest-django",
    "event_loop": "pytest-asyncio",
    "faker": "Faker",
    "freezer": "pytest-freezer",
    "fs": "pyfakefs",
    "httpserver": "pytest-httpserver",
    "httpx_mock": "pytest-httpx",
    "mocker": "pytest-mock",
    "qtbot": "pytest-qt",
    "requests_mock": "requests-mock",
    "respx_mock": "respx",
    "snapshot": "syrupy",
    "subtests": "pytest-subtests",
}
_OPTIONS = {
    "--asyncio-mode": "pytest-asyncio",
    "--benchmark": "pytest-benchmark",
    "--cov": "pytest-cov",
    "--dist": "pytest-xdist",
    "--ds": "pytest-django",
    "--numprocesses": "pytest-xdist",
    "--random-order": "pytest-random-order",
    "--reruns": "pytest-rerunfailures",
    "--timeout": "pytest-timeout",
    "-n": "pytest-xdist",
}
_TEST_NAMES = ("test", "tests", "testing", "dev")


def missing_module(tree: Path, pipeline: Pipeline, message: str) -> str:
    """The third-party package that an import error asks for, with the way out; or nothing.

    A module of the repository, or one whose name is nearly one's, is the code's own trouble.
    """
    found = _MISSING_MODULE.search(message)
    if found is None:
        return ""
    top = found[1].partition(".")[0]
    own = _own_modules(tree)
    near = difflib.get_close_matches(top, own, n=1, cutoff=0.8)
    if top in sys.stdlib_module_names or near or _somewhere_in(tree, top):
        return ""
    wanted = _DISTRIBUTIONS.get(top, top.replace("_", "-"))
    return f"third-party package `{found[1]}` is not installed: {_add(tree, pipeline, wanted)}"


def missing_node_package(message: str) -> str:
    """The package that Node could not find, with the way out; or nothing."""
    found = _MISSING_NODE_PACKAGE.search(message)
    if found is None:
        return ""
    return (
        f"package `{found[1]}` is not installed: tests run without a network, so it must be in the "
        "repository or on the runner"
    )


def missing_fixture(tree: Path, pipeline: Pipeline, fixture: str) -> str:
    """That no plugin brings a fixture, with the way out."""
    plugin = _FIXTURES.get(fixture)
    way_out = _add(tree, pipeline, plugin) if plugin else "add the plugin that brings it"
    return f"no fixture `{fixture}`, a pytest plugin is missing: {way_out}"


def missing_option(tree: Path, pipeline: Pipeline, option: str) -> str:
    """That no plugin knows an option of pytest, with the way out."""
    plugin = next((name for known, name in _OPTIONS.items() if option.startswith(known)), None)
    way_out = _add(tree, pipeline, plugin) if plugin else "add the plugin that has it"
    return f"pytest does not know `{option}`, a plugin is missing: {way_out}"


def missing_event_loop(tree: Path, pipeline: Pipeline) -> str:
    """That no plugin runs coroutine tests, with the way out."""
    way_out = _add(tree, pipeline, "pytest-asyncio")
    return f"no pytest plugin runs `async def` tests: {way_out}"


def _add(tree: Path, pipeline: Pipeline, package: str) -> str:
    return f"add `{package}` to {_place(tree, pipeline)}"


def _place(tree: Path, pipeline: Pipeline) -> str:
    """Where the repository asks for what its tests need."""
    files = pipeline.build.requirements
    if files is None:
        files = tuple(sorted(path.name for path in tree.glob("requirements*.txt")))
    for name in files:
        if any(word in name for word in _TEST_NAMES):
            return f"`{name}`"
    if files:
        return f"`{files[0]}`"
    project = _project_file(tree)
    for table, what in (
        (project.get("dependency-groups"), "the dependency group"),
        (_table(project.get("project")).get("optional-dependencies"), "the extra"),
    ):
        named = [name for name in _TEST_NAMES if name in _table(table)]
        if named:
            return f"{what} `{named[0]}` in `pyproject.toml`"
    if "project" in project:
        return "the dependencies in `pyproject.toml`"
    return "a `requirements.txt`"


def _project_file(tree: Path) -> dict[str, object]:
    try:
        return tomllib.loads((tree / "pyproject.toml").read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return {}


def _table(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _own_modules(tree: Path) -> set[str]:
    roots = (tree, tree / "src")
    found = {path.stem for root in roots for path in root.glob("*.py")}
    return found | {path.parent.name for root in roots for path in root.glob("*/__init__.py")}


def _somewhere_in(tree: Path, module: str) -> bool:
    roots = (tree, tree / "src", tree / "tests", tree / "test")
    return any((root / module).is_dir() or (root / f"{module}.py").is_file() for root in roots)
