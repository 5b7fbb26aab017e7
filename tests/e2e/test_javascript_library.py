"""A repository without Python: its line runs, and a model heals its red tests."""

import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.doubles.openai_endpoint import Endpoint, Step, openai_endpoint
from tests.e2e.conftest import MakeProgram
from tests.e2e.javascript_library import javascript_library
from tests.e2e.plain_repository import git, working_state
from tests.e2e.regreen_program import Ended, Program, stage


def _edit(path: str, old: str, new: str, explanation: str) -> Step:
    return Step(
        f"{explanation}\n\n{path}\n<<<<<<< SEARCH\n{old}\n=======\n{new}\n>>>>>>> REPLACE\n"
    )


SOURCE = "src/durations.js"
BUG = "      rest -= size;"
WRONG = _edit(SOURCE, BUG, "      rest = rest % count;", "What remains is less than one unit.")
CHEATING = _edit(
    "test/durations.test.js",
    '    assert.equal(formatDuration(7384), "2 h 3 min");',
    '    assert.equal(formatDuration(7384), "2 h 63 min");',
    "The test expects the wrong text.",
)
RIGHT = _edit(
    SOURCE,
    BUG,
    "      rest -= count * size;",
    "Only one of the counted units was taken off before the next smaller one was counted.",
)


@dataclass(frozen=True)
class Healed:
    """A run of the library with the three answers, and what remained of it."""

    program: Program
    repository: Path
    endpoint: Endpoint
    ended: Ended
    untouched: bool
    new_environments: set[Path]
    """Python environments that the run made; programs of the tests share theirs."""

    @property
    def unit(self) -> Any:
        """The unit stage."""
        return stage(self.ended.document, "unit")


@pytest.fixture(scope="module")
def healed(make_program: MakeProgram, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Healed]:
    """The run of the broken library."""
    repository = javascript_library(tmp_path_factory.mktemp("library") / "library")
    before = working_state(repository)
    with openai_endpoint([WRONG, CHEATING, RIGHT]) as endpoint:
        program = make_program(
            OPENAI_API_KEY=secrets.token_hex(24), OPENAI_BASE_URL=endpoint.base_url
        )
        environments = program.state / "cache" / "environments"
        known = set(environments.iterdir())
        ended = program.run("run", repository, "--json")
        new = set(environments.iterdir()) - known
        untouched = working_state(repository) == before
        yield Healed(program, repository, endpoint, ended, untouched, new)


def test_a_model_heals_it_after_a_wrong_and_a_cheating_patch(healed: Healed) -> None:
    assert healed.ended.code == 0, healed.ended.errors
    run = healed.ended.document
    assert run["state"] == "waiting", run["reason"]
    assert healed.unit["state"] == "healed"
    verdicts = [attempt["verdict"] for attempt in healed.unit["attempts"]]
    assert verdicts == ["tests_red", "refused", "healed"]
    assert "first formatDuration::" in healed.unit["attempts"][0]["reason"]
    assert healed.unit["attempts"][1]["reason"].startswith("test-file at test/durations.test.js")
    assert healed.untouched


def test_the_healed_branch_is_green(healed: Healed, tmp_path: Path) -> None:
    branch = healed.ended.document["pull_request"]["branch"]
    git(tmp_path, "clone", "--quiet", "--branch", branch, str(healed.repository), "clone")

    done = subprocess.run(["node", "--test"], cwd=tmp_path / "clone", check=False, timeout=60)

    assert done.returncode == 0
    assert git(healed.repository, "diff", "--name-only", "main", branch) == SOURCE


def test_stages_that_do_not_apply_are_skipped_and_say_why(healed: Healed) -> None:
    run = healed.ended.document
    told = {each["name"]: (each["state"], each["summary"]) for each in run["stages"]}
    assert told["build"] == ("passed", "no Python package: nothing to build")
    assert told["integration"] == ("skipped", "no integration tests configured")
    assert told["package"] == ("skipped", "package: no pyproject.toml to build from")
    assert told["security"][0] == "passed"
    assert "no Python sources to examine" in told["security"][1]
    assert healed.new_environments == set()


def test_the_model_sees_test_code_and_trace(healed: Healed) -> None:
    asked = str(healed.endpoint.asked[0].body["input"])

    assert "formatDuration::counts every unit only once fails in call with AssertionError" in asked
    assert 'assert.equal(formatDuration(7384), "2 h 3 min");' in asked
    assert "at test/durations.test.js:23 in TestContext.<anonymous>" in asked
    assert "rest -= size;" in asked
    assert "-    rest -= count * size;" in asked, "the change that came last"


def test_reports_and_output_of_the_tests_are_kept(healed: Healed) -> None:
    kept = {each["name"]: Path(each["path"]) for each in healed.ended.document["artifacts"]}

    assert "<testsuites>" in kept["junit.xml"].read_text("utf-8")
    assert "counts every unit only once" in kept["output.txt"].read_text("utf-8")


def test_search_alone_does_not_heal_it(hosted: Program, tmp_path: Path) -> None:
    repository = javascript_library(tmp_path / "library")
    pipeline = repository / "regreen.yaml"
    pipeline.write_text(pipeline.read_text("utf-8").replace("[openai]", "[search]"), "utf-8")
    git(repository, "commit", "--quiet", "--all", "--message", "chore: search only")

    ended = hosted.run("heal", repository, "--json")

    assert ended.code == 1, ended.errors
    unit = stage(ended.document, "unit")
    assert unit["attempts"] == []
    assert unit["summary"].endswith("Not healed: search: search heals pytest stages only")
