"""`regreen init` on repositories of many layouts: the file it writes, and what it says."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from regreen.errors import UsageError
from regreen.pipeline_file import Pipeline
from regreen.pipeline_reading import parse_pipeline
from starters.init_command import init

TEST = "def test_it():\n    assert True\n"
K6 = (
    "import http from 'k6/http';\nexport default function () {\n"
    "  http.get(`${__ENV.BASE_URL}/`);\n}\n// run against http://127.0.0.1:8123/health\n"
)


def repository(folder: Path, files: Mapping[str, str], *tags: str) -> Path:
    """A git repository with one commit of these files."""
    folder.mkdir()
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.invalid")
    for words in (
        ("init", "--quiet"),
        ("add", "--all"),
        (*identity, "commit", "--quiet", "--message", "feat: begin"),
        *(("tag", tag) for tag in tags),
    ):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return folder


async def written(root: Path) -> tuple[str, Pipeline]:
    assert await init(root, force=False, show=False, json=False) == 0
    text = (root / "regreen.yaml").read_text("utf-8")
    return text, parse_pipeline(text)


async def test_a_plain_repository_gets_a_file_that_says_why(tmp_path: Path) -> None:
    root = repository(tmp_path / "shop", {"shop.py": "", "test_shop.py": TEST})

    text, pipeline = await written(root)

    assert "# unit tests: pytest finds them by itself." in text
    assert pipeline.unit.paths == ()
    assert pipeline.integration is None
    assert "# No linter is configured here: ruff looks at the Python files" in text
    assert pipeline.lint is not None
    assert (pipeline.lint.tools, pipeline.lint.severity) == (None, "high")
    assert pipeline.package is None
    assert pipeline.approval.required == "healed"


async def test_test_folders_become_stages(tmp_path: Path) -> None:
    files = {
        "pyproject.toml": '[project]\nname = "shop"\nversion = "1"\n[tool.ruff]\n'
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n',
        "src/shop/__init__.py": "",
        "tests/unit/test_a.py": TEST,
        "tests/integration/test_b.py": TEST,
        "tests/functional/deep/test_c.py": TEST,
        "tests/other/test_d.py": TEST,
    }
    root = repository(tmp_path / "shop", files, "v1.0.0", "v1.1.0")

    _, pipeline = await written(root)

    assert pipeline.unit.paths == ("tests/unit", "tests/other")
    assert pipeline.integration is not None
    assert pipeline.integration.paths == ("tests/integration",)
    assert pipeline.e2e is not None
    assert pipeline.e2e.paths == ("tests/functional",)
    assert pipeline.lint is not None
    assert pipeline.lint.tools == ("ruff",)
    assert pipeline.package is not None
    assert pipeline.release is not None


async def test_tests_beside_the_code_and_in_several_packages_are_all_unit_tests(
    tmp_path: Path,
) -> None:
    files = {
        "packages/a/src/a.py": "",
        "packages/a/src/test_a.py": TEST,
        "packages/b/tests/b_test.py": TEST,
        "requirements.txt": "",
    }
    _, pipeline = await written(repository(tmp_path / "mono", files))

    assert pipeline.unit.paths == ()
    assert pipeline.unit.runs_pytest


async def test_only_end_to_end_tests_are_the_unit_stage(tmp_path: Path) -> None:
    root = repository(tmp_path / "shop", {"tests/e2e/test_a.py": TEST})

    text, pipeline = await written(root)

    assert pipeline.unit.paths == ("tests/e2e",)
    assert pipeline.e2e is None
    assert "there are only e2e tests" in text


@pytest.mark.parametrize(
    ("package", "files", "program", "report"),
    [
        (
            {"scripts": {"test": "node --test"}},
            {"test/a.test.js": ""},
            "node",
            "reports/unit.xml",
        ),
        ({"devDependencies": {"vitest": "^3"}}, {}, "vitest", "reports/unit.xml"),
        ({"scripts": {"test": "jest --coverage"}}, {}, "jest", "junit.xml"),
        ({"devDependencies": {"mocha": "^11"}}, {}, "mocha", "reports/unit.xml"),
    ],
)
async def test_javascript_tests_run_by_their_runner_with_a_report(
    tmp_path: Path, package: dict[str, object], files: dict[str, str], program: str, report: str
) -> None:
    root = repository(tmp_path / "lib", {"package.json": json.dumps(package), **files})

    _, pipeline = await written(root)

    assert pipeline.unit.tool == program
    assert pipeline.unit.report == report
    assert pipeline.healers == ("openai",)


@pytest.mark.parametrize(
    ("script", "files", "named"),
    [
        ("node test.js", {"test.js": ""}, ("test.js",)),
        ("node --test spec/ lib/a.spec.js", {"spec/a.js": "", "lib/a.spec.js": ""}, None),
        ("node --test", {"lib/a.test.js": ""}, ()),
        ("npm run lint && node build/test.js", {"test/a.js": ""}, ()),
        ("node build/test.js", {"test/a.mjs": ""}, ()),
        ("node test.js --verbose", {"test.js": ""}, ()),
    ],
)
async def test_files_that_a_script_gives_to_node_are_given_to_its_test_runner(
    tmp_path: Path, script: str, files: dict[str, str], named: tuple[str, ...] | None
) -> None:
    package = json.dumps({"scripts": {"test": script}})
    _, pipeline = await written(repository(tmp_path / "lib", {"package.json": package, **files}))

    *_, last = [n for n, word in enumerate(pipeline.unit.command) if word.startswith("--test")]
    wanted = ("spec/", "lib/a.spec.js") if named is None else named
    assert pipeline.unit.command[last + 1 :] == wanted


@pytest.mark.parametrize(
    ("files", "remark"),
    [
        ({".flake8": "[flake8]\n"}, "flake8 is configured and does not run"),
        ({"setup.cfg": "[metadata]\nname = a\n[flake8]\n"}, "flake8 is configured and does not"),
        ({"tox.ini": "[flake8]\nmax-line-length = 100\n"}, "flake8 is configured and does not"),
        ({"eslint.config.mjs": ""}, "ESLint is configured and does not run"),
        ({"setup.cfg": "[metadata]\n", "docs/.flake8": ""}, ""),
    ],
)
async def test_a_linter_that_cannot_report_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], files: dict[str, str], remark: str
) -> None:
    await written(repository(tmp_path / "lib", {"test_a.py": TEST, **files}))

    told = capsys.readouterr().err
    assert (remark in told) if remark else ("is configured and does not run" not in told)


ESLINT = {"eslint": "^9", "@microsoft/eslint-formatter-sarif": "^3"}


@pytest.mark.parametrize(
    ("packages", "names"),
    [(ESLINT, ("eslint",)), ({"eslint": "^9"}, ()), ({}, ())],
    ids=["eslint that writes SARIF", "eslint that does not", "no linter"],
)
async def test_a_linter_is_set_up_where_it_can_report(
    tmp_path: Path, packages: dict[str, str], names: tuple[str, ...]
) -> None:
    package = json.dumps({"scripts": {"test": "node --test"}, "devDependencies": packages})
    files = {"package.json": package, "src/a.mjs": "", "src/b.ts": ""}
    root = repository(tmp_path / "lib", files)

    text, pipeline = await written(root)

    assert pipeline.lint is not None
    assert tuple(linter.name for linter in pipeline.lint.commands) == names
    assert ("# ESLint is configured here" in text) == bool(names)
    for linter in pipeline.lint.commands:
        assert pipeline.lint.tools == ()
        assert linter.command[0] == "node_modules/.bin/eslint"
        assert linter.sarif in linter.command
        assert linter.files == ("*.mjs", "*.ts")


PLUGIN = "<?php\n/**\n * Plugin Name: Till\n * Version: 1.0\n */\n"


@pytest.mark.parametrize(
    ("files", "folder"),
    [
        ({"till.php": PLUGIN, "inc/other.php": "<?php\n"}, "."),
        ({"plugins/till/till.php": PLUGIN, "vendor/a/a.php": PLUGIN}, "plugins/till"),
        ({"one/one.php": PLUGIN, "two/two.php": PLUGIN}, None),
        ({"words.php": "<?php\n$text = 'my Plugin Name: Till';\n"}, None),
    ],
    ids=["at the root", "below", "two of them", "none"],
)
async def test_a_wordpress_plugin_is_packed(
    tmp_path: Path, files: dict[str, str], folder: str | None
) -> None:
    root = repository(tmp_path / "till", {**files, "phpunit.xml": ""})

    text, pipeline = await written(root)

    if folder is None:
        assert pipeline.package is None
    else:
        assert pipeline.package is not None
        assert pipeline.package.wordpress is not None
        assert pipeline.package.wordpress.folder == folder
        assert "# A PHP file has the header of a WordPress plugin" in text


@pytest.mark.parametrize(
    ("name", "program"), [("phpunit.xml.dist", "phpunit"), ("go.mod", "gotestsum")]
)
async def test_other_languages_are_known_by_their_files(
    tmp_path: Path, name: str, program: str
) -> None:
    _, pipeline = await written(repository(tmp_path / "other", {name: ""}))

    assert pipeline.unit.tool == program


async def test_a_k6_script_is_prepared_and_left_for_a_person_to_switch_on(tmp_path: Path) -> None:
    files = {"test_shop.py": TEST, "load/checkout.js": K6, "static/app.js": "let k6 = 1;\n"}

    text, pipeline = await written(repository(tmp_path / "shop", files))

    assert pipeline.load is None
    before, section = text.split("# load:\n")
    switched = parse_pipeline(before + "load:\n" + section.replace("#   ", "  "))
    assert switched.load is not None
    assert switched.load.script == "load/checkout.js"
    assert switched.load.environment == {"BASE_URL": "http://127.0.0.1:8123/health"}
    assert switched.load.service is not None
    assert switched.load.service.ready == "http://127.0.0.1:8123/health"


async def test_a_file_there_is_is_not_replaced_without_force(tmp_path: Path) -> None:
    files = {"test_shop.py": TEST, "regreen.yaml": "unit:\n  timeout: 7m\n"}
    root = repository(tmp_path / "shop", files)

    with pytest.raises(UsageError, match=r"regreen.yaml is there already; --force replaces it"):
        await init(root, force=False, show=False, json=False)
    assert (root / "regreen.yaml").read_text() == files["regreen.yaml"]

    await init(root, force=True, show=False, json=False)
    assert "timeout: 7m" not in (root / "regreen.yaml").read_text()


async def test_printing_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = repository(tmp_path / "shop", {"test_shop.py": TEST})

    await init(root, force=False, show=True, json=True)

    assert not (root / "regreen.yaml").exists()
    document = json.loads(capsys.readouterr().out)
    assert document["path"] is None
    assert document["stages"] == {"unit": "pytest finds them by itself"}
    assert parse_pipeline(document["text"]).package is None


@pytest.mark.parametrize(
    "files",
    [
        {"README.md": "words\n"},
        {"package.json": "not JSON", "index.js": ""},
        {"package.json": "[" * 100_000},
        {"package.json": '{"scripts": 3, "dependencies": []}'},
        {"pyproject.toml": "tool = 3\n"},
        {
            "package.json": '{"scripts": {"test": "make test"}}',
            "lib/a.spec.js": "",
            "a.test.ts": "",
        },
        {"pyproject.toml": "not [ TOML"},
    ],
)
async def test_without_tests_nothing_is_written_and_the_way_out_is_said(
    tmp_path: Path, files: dict[str, str]
) -> None:
    root = repository(tmp_path / "docs", files)

    with pytest.raises(UsageError, match=r"no tests found in .*; write tests first"):
        await init(root, force=False, show=False, json=False)
    assert not (root / "regreen.yaml").exists()


async def test_what_is_no_repository_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a git repository"):
        await init(tmp_path, force=False, show=False, json=False)
    with pytest.raises(UsageError, match="no such folder"):
        await init(tmp_path / "none", force=False, show=False, json=False)


@pytest.mark.parametrize("name", ["on", "a b", "-x", "é", "1.5", "a: b", "#c"])
async def test_odd_names_stay_what_they_are(tmp_path: Path, name: str) -> None:
    files = {f"{name}/unit/test_a.py": TEST, "tests/e2e/test_b.py": TEST}

    _, pipeline = await written(repository(tmp_path / "odd", files))

    assert pipeline.unit.paths == (f"{name}/unit",)


async def test_a_stage_stands_in_the_file_once(tmp_path: Path) -> None:
    files = {"test_shop.py": TEST, "phpunit.xml.dist": "", "package.json": "{}", "go.mod": ""}

    text, pipeline = await written(repository(tmp_path / "many", files))

    assert text.count("\nunit:") == 1
    assert pipeline.unit.runs_pytest
