"""`regreen heal`: the diff and nothing but the diff, verdicts, the way on, and `--apply`."""

import subprocess
from pathlib import Path

import pytest

from tests.e2e.plain_repository import git, plain_repository, working_state
from tests.e2e.regreen_program import Program, stage

SOURCE = """def initials(name):
    parts = name.split()
    return "".join(part[1] for part in parts)
"""
TESTS = """from initials import initials


def test_two_words():
    assert initials("Ada Lovelace") == "AL"


def test_one_word():
    assert initials("Plato") == "P"


def test_nothing():
    assert initials("") == ""
"""
FILES = {"src/initials.py": SOURCE, "tests/test_initials.py": TESTS}
MENDED = SOURCE.replace("part[1]", "part[0]")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with a bug of one character."""
    return plain_repository(tmp_path_factory.mktemp("heal") / "initials", FILES)


def test_it_prints_the_diff_and_changes_nothing(
    repository: Path, hosted: Program, tmp_path: Path
) -> None:
    before = working_state(repository)

    ended = hosted.run("heal", repository)

    assert ended.code == 0, ended.errors
    assert working_state(repository) == before
    git(tmp_path, "clone", "--quiet", str(repository), "clone")
    subprocess.run(
        ["git", "apply"], cwd=tmp_path / "clone", input=ended.output, text=True, check=True
    )
    assert (tmp_path / "clone" / "src" / "initials.py").read_text() == MENDED
    lines = ended.errors.splitlines()
    assert "unit: heal attempt 1 of 8 (search)" in lines
    assert any(line.startswith("unit: attempt 1 (search): healed: 3 of 3") for line in lines)
    assert f"note: put it into the working tree: regreen heal {repository} --apply" in lines
    assert not any(line.startswith("load") for line in lines)


def test_the_document_holds_the_diff_of_each_heal(repository: Path, hosted: Program) -> None:
    plain = hosted.run("heal", repository).output

    ended = hosted.run("heal", repository, "--json")

    assert ended.code == 0, ended.errors
    (heal,) = ended.document["heals"]
    assert (heal["stage"], heal["healer"]) == ("unit", "search")
    assert heal["diff"] == plain
    attempts = stage(ended.document, "unit")["attempts"]
    assert heal["attempt"] == attempts[-1]["number"]
    assert Path(attempts[-1]["patch"]["path"]).read_text("utf-8") == plain
    assert "note: joining the heal of" in ended.errors


def test_apply_puts_it_into_the_working_tree_and_touches_nothing_else(
    repository: Path, hosted: Program
) -> None:
    before = working_state(repository)

    ended = hosted.run("heal", repository, "--apply")
    again = hosted.run("heal", repository, "--apply")

    assert ended.code == 0, ended.errors
    assert "note: applied to the working tree; run the tests and commit" in ended.errors
    assert (repository / "src" / "initials.py").read_text() == MENDED
    assert git(repository, "status", "--porcelain") == "M src/initials.py"
    assert again.code == 2
    assert again.errors.splitlines() == [
        "error: the working tree has uncommitted changes; commit or stash them first"
    ]
    git(repository, "restore", "src/initials.py")
    after = working_state(repository)
    assert {**after, "the index": ""} == {**before, "the index": ""}


def test_a_diff_that_does_not_apply_is_refused_in_one_line(
    repository: Path, hosted: Program
) -> None:
    git(repository, "mv", "src/initials.py", "src/letters.py")
    git(repository, "commit", "--quiet", "--message", "refactor: rename")
    before = working_state(repository)

    ended = hosted.run("heal", repository, "--ref", "HEAD~1", "--apply")

    assert ended.code == 2
    assert ended.output == ""
    (line,) = [each for each in ended.errors.splitlines() if each.startswith("error: ")]
    assert "does not apply to the working tree" in line
    assert "nothing was changed, check out that commit first" in line
    assert working_state(repository) == before
    git(repository, "reset", "--quiet", "--hard", "HEAD~1")


def test_green_tests_need_no_heal(hosted: Program, tmp_path: Path) -> None:
    repository = plain_repository(tmp_path / "green", {**FILES, "src/initials.py": MENDED})

    ended = hosted.run("heal", repository, "--apply")

    assert (ended.code, ended.output) == (0, ""), ended.errors
    assert "note: the tests are green; there is nothing to heal" in ended.errors.splitlines()


def test_what_cannot_be_healed_ends_with_1_and_says_where_to_look(
    hosted: Program, tmp_path: Path
) -> None:
    repository = plain_repository(tmp_path / "red", {**FILES, "regreen.yaml": "healers: []\n"})

    ended = hosted.run("heal", repository)

    assert (ended.code, ended.output) == (1, ""), ended.errors
    assert "failed: unit: 2 of 3 failing" in ended.errors
    assert "note: attempts with their diffs: regreen show heal/" in ended.errors
