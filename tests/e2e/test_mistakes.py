"""Mistakes that people make: one clear line on standard error, and the documented exit code."""

import socket
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.e2e.conftest import MakeProgram
from tests.e2e.plain_repository import git, plain_repository
from tests.e2e.regreen_program import Ended, Program, stage

TESTS = "def test_truth():\n    assert True\n"

# Pipeline file or other files, and what the line must say.
FILES: dict[str, tuple[Mapping[str, str], str]] = {
    "no tests": ({"shop.py": "PRICE = 1\n"}, "no tests found in commit"),
    "bad YAML": ({"test_a.py": TESTS, "regreen.yaml": "unit: [\n"}, "regreen.yaml:2: not valid"),
    "a list": ({"test_a.py": TESTS, "regreen.yaml": "- unit\n"}, "regreen.yaml:1: expected keys"),
    "unknown key": (
        {"test_a.py": TESTS, "regreen.yaml": "version: 1\nunti:\n  paths: [tests]\n"},
        "regreen.yaml:2: unknown key `unti`; did you mean `unit`?",
    ),
    "unknown nested key": (
        {"test_a.py": TESTS, "regreen.yaml": "heal:\n  budget:\n    attemps: 3\n"},
        "regreen.yaml:3: unknown key `heal.budget.attemps`; did you mean `attempts`?",
    ),
    "bad duration": (
        {"test_a.py": TESTS, "regreen.yaml": "unit: {timeout: soon}\n"},
        "regreen.yaml:1: unit.timeout: 'soon' is not a duration such as 30s",
    ),
    "unsupported Python": (
        {
            "test_a.py": TESTS,
            "pyproject.toml": '[project]\nname = "a"\nversion = "1"\nrequires-python = ">=3.99"\n',
        },
        "unsupported Python: the repository wants >=3.99",
    ),
    "bad TOML": ({"test_a.py": TESTS, "pyproject.toml": "[project\n"}, "pyproject.toml: not valid"),
    "bad project table": (
        {"test_a.py": TESTS, "pyproject.toml": "project = 3\n"},
        "pyproject.toml: `project` is not a table",
    ),
    "pipeline file that is a folder": (
        {"test_a.py": TESTS, "regreen.yaml/unit.yaml": "paths: [tests]\n"},
        "regreen.yaml is not a regular file in commit",
    ),
    "missing path": (
        {"test_a.py": TESTS, "regreen.yaml": "unit: {paths: [test_a.py, tests/unit]}\n"},
        "unit: `tests/unit` is not in commit",
    ),
    "missing path of a later stage": (
        {"test_a.py": TESTS, "regreen.yaml": "e2e: {paths: [e2e]}\n"},
        "e2e: `e2e` is not in commit",
    ),
}


def _one_line(ended: Ended, code: int) -> str:
    assert ended.code == code, ended.errors
    assert ended.output == ""
    lines = ended.errors.splitlines()
    assert len(lines) == 1, ended.errors
    assert lines[0].startswith("error: ")
    return lines[0]


@pytest.mark.parametrize("mistake", FILES)
def test_a_repository_that_cannot_be_run(mistake: str, program: Program, tmp_path: Path) -> None:
    files, said = FILES[mistake]
    repository = plain_repository(tmp_path / "repository", files)

    line = _one_line(program.run("run", repository, "--json"), 2)

    assert said in line
    assert not (program.state / "temporal.db").exists(), "no server for a run that cannot be"


def test_a_folder_that_is_not_a_repository(program: Program, tmp_path: Path) -> None:
    line = _one_line(program.run("run", tmp_path), 2)

    assert f"{tmp_path} is not a git repository" in line


def test_a_folder_that_is_not_there(program: Program, tmp_path: Path) -> None:
    line = _one_line(program.run("run", tmp_path / "nowhere"), 2)

    assert "nowhere: no such folder" in line


def test_a_repository_without_a_commit(program: Program, tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")

    line = _one_line(program.run("run", tmp_path), 2)

    assert "has no commit yet" in line


def test_a_commit_without_files(program: Program, tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "commit", "--quiet", "--allow-empty", "--message", "feat: nothing")

    line = _one_line(program.run("run", tmp_path), 2)

    assert "no tests found in commit" in line


def test_a_shallow_clone(program: Program, tmp_path: Path) -> None:
    repository = plain_repository(tmp_path / "repository", {"test_a.py": TESTS})
    git(repository, "commit", "--quiet", "--allow-empty", "--message", "feat: more")
    git(tmp_path, "clone", "--quiet", "--depth=1", repository.as_uri(), "shallow")

    line = _one_line(program.run("run", tmp_path / "shallow"), 2)

    assert "is a shallow clone; run `git fetch --unshallow` first" in line


def test_a_bare_repository(program: Program, tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "--bare", "bare.git")

    line = _one_line(program.run("run", tmp_path / "bare.git"), 2)

    assert "bare.git has no working tree; name a clone that has one" in line


@pytest.mark.parametrize("name", ["file", "file/below", "n" * 300])
def test_a_state_folder_that_cannot_be(name: str, program: Program, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    line = _one_line(program.run("list", "--state", tmp_path / name), 2)

    assert f"state folder {tmp_path / name}: " in line


def test_a_machine_without_git(make_program: MakeProgram, tmp_path: Path) -> None:
    repository = plain_repository(tmp_path / "repository", {"test_a.py": TESTS})

    line = _one_line(make_program(PATH=str(tmp_path / "nowhere")).run("run", repository), 2)

    assert "git not found; install it" in line


def test_a_tool_that_there_is_not(program: Program) -> None:
    line = _one_line(program.run("tools", "install", "k7"), 2)

    assert "k7" in line


def test_an_unknown_ref(program: Program, tmp_path: Path) -> None:
    repository = plain_repository(tmp_path / "repository", {"test_a.py": TESTS})

    line = _one_line(program.run("run", repository, "--ref", "mian"), 2)

    assert "unknown ref `mian`; branches here: main" in line


def test_a_ref_that_looks_like_an_option(program: Program, tmp_path: Path) -> None:
    repository = plain_repository(tmp_path / "repository", {"test_a.py": TESTS})

    line = _one_line(program.run("run", repository, "--ref=--help"), 2)

    assert "unknown ref `--help`" in line


@pytest.mark.parametrize("command", ["status", "approve", "reject", "cancel", "retry", "show"])
def test_a_run_that_there_is_not(command: str, hosted: Program) -> None:
    line = _one_line(hosted.run(command, "0123456789abcdef"), 2)

    assert "no run `0123456789abcdef`; `regreen list` shows the runs" in line


def test_uncommitted_changes_are_told_and_do_not_run(hosted: Program, tmp_path: Path) -> None:
    repository = plain_repository(tmp_path / "repository", {"test_a.py": TESTS})
    commit = git(repository, "rev-parse", "HEAD")
    (repository / "test_a.py").write_text("def test_untruth():\n    assert False\n")

    ended = hosted.run("run", repository, "--json")

    assert ended.code == 0, ended.errors
    assert ended.document["state"] == "passed"
    assert stage(ended.document, "unit")["state"] == "passed"
    note = f"note: uncommitted changes are not part of the run; it runs commit {commit[:12]}"
    assert note in ended.errors.splitlines()
    assert "untruth" in (repository / "test_a.py").read_text()

    line = _one_line(hosted.run("approve", commit), 2)

    assert "does not wait for a decision; it is passed" in line
    assert "has ended already" in _one_line(hosted.run("cancel", commit), 2)


def test_a_server_that_does_not_answer(make_program: MakeProgram, tmp_path: Path) -> None:
    repository = plain_repository(tmp_path / "repository", {"test_a.py": TESTS})
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        program = make_program(TEMPORAL_ADDRESS=address)

        line = _one_line(program.run("run", repository, "--json"), 3)

    assert f"Temporal does not answer at {address}" in line
    assert not (program.state / "temporal.db").exists()


def test_no_such_command(program: Program) -> None:
    ended = program.run("rnu")

    assert ended.code == 2
    assert "rnu" in ended.errors
    assert "Traceback" not in ended.errors


def test_verify_of_a_folder_that_is_not_there(program: Program, tmp_path: Path) -> None:
    line = _one_line(program.run("verify", tmp_path / "nowhere"), 2)

    assert "no such folder" in line


@pytest.mark.parametrize(
    ("content", "said"), [(None, "no such trusted root"), ("[]", "is no trusted root")]
)
def test_verify_by_what_is_no_trusted_root(
    program: Program, tmp_path: Path, content: str | None, said: str
) -> None:
    root = tmp_path / "known.json"
    if content is not None:
        root.write_text(content)
    line = _one_line(program.run("verify", tmp_path, "--trusted-root", root), 2)

    assert "known.json" in line
    assert said in line
