"""`regreen init`, a commit, and the line runs with the file that it wrote."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.javascript_library import javascript_library
from tests.e2e.plain_repository import git, plain_repository
from tests.e2e.regreen_program import Program, stage
from tests.e2e.storefront import storefront
from tests.e2e.wordpress_plugin import wordpress_plugin

FILES = {
    "pyproject.toml": (
        '[build-system]\nrequires = ["hatchling>=1.27"]\nbuild-backend = "hatchling.build"\n\n'
        '[project]\nname = "till"\nversion = "0.1.0"\n\n[tool.ruff]\nline-length = 90\n'
    ),
    "src/till/__init__.py": "def total(prices):\n    return sum(prices)\n",
    "tests/unit/test_total.py": (
        "from till import total\n\n\ndef test_total():\n    assert total([1, 2]) == 3\n"
    ),
    "tests/integration/test_nothing.py": (
        "from till import total\n\n\ndef test_nothing():\n    assert total([]) == 0\n"
    ),
}


def test_the_line_runs_with_what_was_written(hosted: Program, tmp_path: Path) -> None:
    repository = plain_repository(tmp_path / "till", FILES)

    ended = hosted.run("init", repository)
    assert ended.code == 0, ended.errors
    assert f"wrote {repository / 'regreen.yaml'}" in ended.output
    assert f"note: commit it, then: regreen run {repository}" in ended.errors
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", "chore: deliver with Regreen")

    run = hosted.run("run", repository, "--json")

    assert run.code == 0, run.errors
    assert run.document["state"] == "passed"
    lint = stage(run.document, "lint")["summary"]
    assert lint == "ruff: nothing found; examined 3 files"
    for name in ("unit", "integration", "coverage", "security", "package"):
        assert stage(run.document, name)["state"] == "passed", stage(run.document, name)

    (repository / "src/till/__init__.py").write_text(
        "import os\n\n\ndef total(prices):\n    return sum(prices)\n"
    )
    git(repository, "commit", "--quiet", "--all", "--message", "feat: look at the system")

    run = hosted.run("run", repository, "--json")

    assert (run.code, stage(run.document, "unit")["state"]) == (1, "passed"), run.errors
    said = "high: F401 at src/till/__init__.py:1: `os` imported but unused"
    assert said in hosted.run("show", run.document["commit"]).output


FLAT = {
    "requirements.txt": "",
    "tills.py": "def total(prices):\n    return sum(prices)\n",
    "test_tills.py": (
        "from tills import total\n\n\ndef test_total():\n    assert total([1, 2]) == 3\n"
    ),
}


# As libraries of some years have it: tox with flake8, sources below `src`, a version in the code.
TOX = {
    "pyproject.toml": (
        '[build-system]\nrequires = ["setuptools>=61"]\nbuild-backend = "setuptools.build_meta"\n'
    ),
    "setup.cfg": (
        "[metadata]\nname = parcels\nversion = attr: parcels.__version__\n\n"
        "[options]\npackage_dir =\n    = src\npackages = find:\n\n"
        "[options.packages.find]\nwhere = src\n\n"
        "[options.extras_require]\ntest =\n    pytest\n\n[flake8]\nmax-line-length = 100\n"
    ),
    "tox.ini": "[testenv]\nextras = test\ncommands = pytest\n\n[pytest]\naddopts = -ra\n",
    "src/parcels/__init__.py": '__version__ = "1.4.0"\n\nfrom .weigh import postage\n',
    "src/parcels/weigh.py": "def postage(grams):\n    return 80 if grams <= 20 else 95\n",
    "tests/conftest.py": "import pytest\n\n\n@pytest.fixture\ndef letter():\n    return 20\n",
    "tests/test_weigh.py": (
        "from parcels import postage\n\n\ndef test_letter(letter):\n"
        "    assert postage(letter) == 80\n"
    ),
}
# A script of its own for the tests, which stand where no runner looks for them.
SCRIPTED = {
    "package.json": '{"name": "slug", "scripts": {"test": "node spec/all.js"}}\n',
    "index.js": "module.exports = (text) => text.toLowerCase().replace(/[^a-z0-9]+/g, '-')\n",
    "spec/all.js": (
        "const { describe, it } = require('node:test')\nconst assert = require('node:assert')\n"
        "const slug = require('..')\n\ndescribe('slug', () => {\n"
        "  it('joins words', () => assert.equal(slug('A B'), 'a-b'))\n})\n"
    ),
}
MAKEFILE = {
    "Makefile": "test:\n\tpython -m pytest testing\n",
    "requirements.txt": "",
    "words/__init__.py": "def words(text):\n    return text.split()\n",
    "testing/io/test_words.py": (
        "from words import words\n\n\ndef test_words():\n    assert words('a b') == ['a', 'b']\n"
    ),
}


def _flat(folder: Path) -> Path:
    return plain_repository(folder, FLAT)


def _tox(folder: Path) -> Path:
    return plain_repository(folder, TOX)


def _scripted(folder: Path) -> Path:
    return plain_repository(folder, SCRIPTED)


def _makefile(folder: Path) -> Path:
    return plain_repository(folder, MAKEFILE)


@pytest.mark.parametrize(
    ("make", "green", "state", "passed"),
    [
        (storefront, "HEAD~1", "released", ("unit", "integration", "e2e", "package")),
        (javascript_library, "HEAD~1", "passed", ("unit", "security")),
        (wordpress_plugin, "HEAD", "passed", ("unit", "security", "package")),
        (_flat, "HEAD", "passed", ("unit", "coverage", "security")),
        (_tox, "HEAD", "passed", ("unit", "coverage", "security", "package")),
        (_scripted, "HEAD", "passed", ("unit", "security")),
        (_makefile, "HEAD", "passed", ("unit", "coverage", "security")),
    ],
    ids=[
        *("storefront", "javascript library", "wordpress plugin"),
        *("flat", "tox", "scripted", "makefile"),
    ],
)
def test_the_line_runs_on_examples(
    hosted: Program,
    tmp_path: Path,
    make: Callable[[Path], Path],
    green: str,
    state: str,
    passed: tuple[str, ...],
) -> None:
    repository = make(tmp_path / "repository")
    # The last commit of some examples brings a bug.
    git(repository, "checkout", "--quiet", "-B", "main", green)
    assert hosted.run("init", "--force", repository).code == 0
    written = repository / "regreen.yaml"
    # The tests' programs have no database of advisories, which the file says what to do about.
    switched_off = written.read_text("utf-8").replace("# checklist: ", "checklist: ")
    written.write_text(switched_off, "utf-8")
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", "chore: deliver with Regreen")

    run = hosted.run("run", repository, "--json")

    assert (run.code, run.document["state"]) == (0, state), run.document["reason"]
    for name in passed:
        found: Any = stage(run.document, name)
        assert found["state"] == "passed", found
