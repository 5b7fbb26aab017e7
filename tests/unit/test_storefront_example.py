"""The example repository: its history, its bug, and the edit that mends it."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from regreen.pipeline_reading import FILE_NAME, parse_pipeline

EXAMPLE = Path(__file__).parents[2] / "examples" / "storefront"
HISTORY = EXAMPLE / "make_history.py"
DISCOUNTS = Path("src", "storefront", "discounts.py")
DISCOUNT_TESTS = "tests/unit/test_quantity_discounts.py"
FAILING = {
    f"{DISCOUNT_TESTS}::test_ten_pieces_or_more_are_five_percent_cheaper[10]",
    f"{DISCOUNT_TESTS}::test_twenty_five_pieces_or_more_are_ten_percent_cheaper[25]",
    f"{DISCOUNT_TESTS}::test_a_hundred_pieces_or_more_are_fifteen_percent_cheaper[100]",
}
MADE_BY_TOOLS = {"__pycache__", ".pytest_cache", ".ruff_cache", ".mypy_cache", ".venv", "dist"}


def make_history(
    *arguments: object, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(HISTORY), *map(str, arguments)],
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )


def git(repository: Path, *arguments: str) -> str:
    command = ["git", "-C", str(repository), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def run_tests(repository: Path, *paths: str) -> tuple[int, set[str]]:
    """Exit code of pytest, and the node ids that failed or broke."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    finished = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rfE", "-p", "no:cacheprovider", *paths],
        cwd=repository,
        env={
            **environment,
            "PYTHONPATH": "src",
            "PYTHONDONTWRITEBYTECODE": "1",
            "COLUMNS": "300",
            # Those of this environment take longer to load than all of the tests take.
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    verdicts = [line.split() for line in finished.stdout.splitlines()]
    bad = {words[1] for words in verdicts if words and words[0] in {"FAILED", "ERROR"}}
    return finished.returncode, bad


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository, for tests that only read it."""
    folder = tmp_path_factory.mktemp("made") / "storefront"
    made = make_history(folder)
    assert made.returncode == 0, made.stderr
    return folder


@pytest.fixture
def repository(original: Path, tmp_path: Path) -> Path:
    """A copy of the repository for the test's own changes."""
    return Path(shutil.copytree(original, tmp_path / "storefront", symlinks=True))


def test_the_history_has_the_same_hashes_whatever_the_users_configuration(
    repository: Path, tmp_path: Path
) -> None:
    configuration = tmp_path / "gitconfig"
    configuration.write_text(
        "[user]\nname = Somebody\nemail = somebody@example.invalid\n"
        "[init]\ndefaultBranch = trunk\n[core]\nautocrlf = true\n[commit]\ngpgSign = true\n"
    )
    again = tmp_path / "again"
    made = make_history(
        again,
        environment={
            "GIT_CONFIG_GLOBAL": str(configuration),
            "GIT_AUTHOR_NAME": "Somebody",
            "TZ": "Asia/Tokyo",
        },
    )
    assert made.returncode == 0, made.stderr
    assert made.stdout.strip() == git(repository, "rev-parse", "HEAD")
    assert git(again, "symbolic-ref", "HEAD") == "refs/heads/main"
    assert git(again, "rev-parse", "v0.1.0") == git(repository, "rev-parse", "v0.1.0")


def test_the_last_commit_holds_the_example_and_nothing_else(repository: Path) -> None:
    files = {
        path.relative_to(EXAMPLE).as_posix(): path.read_bytes()
        for path in EXAMPLE.rglob("*")
        if path.is_file()
        and path != HISTORY
        and MADE_BY_TOOLS.isdisjoint(path.relative_to(EXAMPLE).parts)
    }
    committed = git(repository, "ls-tree", "-r", "--name-only", "HEAD").splitlines()
    assert {name: (repository / name).read_bytes() for name in committed} == files
    assert git(repository, "status", "--porcelain") == ""


def test_the_commits_since_the_tag_make_the_version_in_the_project(repository: Path) -> None:
    subjects = git(repository, "log", "--format=%s", "v0.1.0..HEAD").splitlines()
    kinds = [subject.split(":")[0].split("(")[0] for subject in subjects]
    assert kinds == ["feat", "chore", "chore", "test", "fix"]
    assert git(repository, "cat-file", "-t", "v0.1.0") == "tag"
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    assert project["version"] == "0.2.0"
    tagged = tomllib.loads(git(repository, "show", "v0.1.0:pyproject.toml"))["project"]
    assert tagged["version"] == "0.1.0"


def test_the_pipeline_file_is_valid_and_names_what_is_there(repository: Path) -> None:
    pipeline = parse_pipeline((repository / FILE_NAME).read_text())
    assert pipeline.integration and pipeline.e2e and pipeline.load and pipeline.release
    named = [*pipeline.unit.paths, *pipeline.integration.paths, *pipeline.e2e.paths]
    assert all((repository / path).is_dir() for path in named)
    assert (repository / pipeline.load.script).is_file()
    assert pipeline.approval.required == "always"


def test_the_bug_fails_three_unit_tests_and_one_operator_mends_it(repository: Path) -> None:
    assert run_tests(repository, "tests/unit") == (1, FAILING)
    assert run_tests(repository, "tests/integration", "tests/e2e") == (0, set())
    source = repository / DISCOUNTS
    broken = source.read_text()
    assert broken.count("quantity > pieces") == 1
    source.write_text(broken.replace("quantity > pieces", "quantity >= pieces"))
    assert run_tests(repository) == (0, set())


@pytest.mark.parametrize("wrong", ["<", "<=", "==", "!="])
def test_no_other_comparison_passes(repository: Path, wrong: str) -> None:
    source = repository / DISCOUNTS
    source.write_text(source.read_text().replace("quantity > pieces", f"quantity {wrong} pieces"))
    code, failing = run_tests(repository, DISCOUNT_TESTS)
    assert code == 1
    assert failing


def test_everything_passes_before_the_commit_that_brings_the_bug(repository: Path) -> None:
    git(repository, "checkout", "--quiet", "HEAD~1")
    assert run_tests(repository) == (0, set())
    assert git(repository, "diff", "--name-only", "HEAD", "main", "--", "src") == str(DISCOUNTS)


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    refused = make_history(tmp_path)
    assert refused.returncode == 2
    assert "not empty" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_an_empty_folder_is_used(tmp_path: Path) -> None:
    assert make_history(tmp_path).returncode == 0
    assert (tmp_path / FILE_NAME).is_file()


@pytest.mark.parametrize("arguments", [[], ["one", "two"], ["--help-me"], [HISTORY]])
def test_a_wrong_command_line_is_refused(arguments: list[object]) -> None:
    refused = make_history(*arguments)
    assert refused.returncode == 2
    assert refused.stderr.startswith("make_history: ")
    assert "Traceback" not in refused.stderr


def test_a_machine_without_git_is_told_so(tmp_path: Path) -> None:
    refused = make_history(tmp_path / "new", environment={"PATH": str(tmp_path)})
    assert refused.returncode == 2
    assert "git was not found" in refused.stderr
    assert not (tmp_path / "new").exists()
