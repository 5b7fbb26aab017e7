"""The openai healer on a scripted endpoint: bad answers cost attempts, the key leaks nowhere."""

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.doubles.openai_endpoint import Endpoint, Step, openai_endpoint
from tests.e2e.conftest import MakeProgram
from tests.e2e.plain_repository import plain_repository, working_state
from tests.e2e.regreen_program import Ended, Program, stage

SOURCE = """def shipping(weight):
    if weight <= 2:
        return 4
    return 4 + 2 * weight
"""
# The test says all that it can find out about its surroundings; the healer's key must not be there.
TESTS = """import os
from pathlib import Path

from parcel import shipping


def surroundings():
    told = ["MARK-OF-THE-DUMP", repr(dict(os.environ))]
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            told.append(path.read_bytes().decode("utf-8", "replace"))
        except OSError:
            pass
    return "\\n".join(told)


def test_light():
    assert shipping(1) == 4


def test_heavy():
    print(surroundings())
    assert shipping(5) == 10
"""
PIPELINE = "healers: [openai]\nheal: {budget: {attempts: 4}}\n"


def _edit(path: str, old: str, new: str, explanation: str) -> Step:
    return Step(
        f"{explanation}\n\n{path}\n<<<<<<< SEARCH\n{old}\n=======\n{new}\n>>>>>>> REPLACE\n",
        usage=(1000, 100),
    )


WRONG = _edit("parcel.py", "    return 4 + 2 * weight", "    return 5 + 2 * weight", "Base price.")
CHEATING = _edit(
    "test_parcel.py",
    "def test_heavy():\n    print(surroundings())\n    assert shipping(5) == 10",
    "",
    "The test is wrong.",
)
MALFORMED = Step("Change the last line so that only what is above two counts.", usage=(1000, 100))
RIGHT = _edit(
    "parcel.py",
    "    return 4 + 2 * weight",
    "    return 4 + 2 * (weight - 2)",
    "Only the weight above two is charged.",
)


class Scripted:
    """One run with the four answers, and what remained of it."""

    def __init__(
        self, key: str, program: Program, endpoint: Endpoint, ended: Ended, untouched: bool
    ) -> None:
        self.key = key
        self.program = program
        self.endpoint = endpoint
        self.asked = tuple(endpoint.asked)
        self.ended = ended
        self.untouched = untouched

    @property
    def attempts(self) -> Any:
        """The attempts of the unit stage."""
        return stage(self.ended.document, "unit")["attempts"]


@pytest.fixture(scope="module")
def scripted(
    make_program: MakeProgram, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scripted]:
    """The run of a red repository whose only healer is the scripted model."""
    key = secrets.token_hex(24)
    folder = tmp_path_factory.mktemp("parcel") / "parcel"
    repository = plain_repository(
        folder, {"parcel.py": SOURCE, "test_parcel.py": TESTS, "regreen.yaml": PIPELINE}
    )
    before = working_state(repository)
    with openai_endpoint([WRONG, CHEATING, MALFORMED, RIGHT]) as endpoint:
        program = make_program(OPENAI_API_KEY=key, OPENAI_BASE_URL=endpoint.base_url)
        ended = program.run("run", repository, "--json")
        yield Scripted(key, program, endpoint, ended, working_state(repository) == before)


def test_wrong_cheating_and_malformed_answers_make_three_attempts(scripted: Scripted) -> None:
    assert scripted.ended.code == 0, scripted.ended.errors
    run = scripted.ended.document
    assert run["state"] == "waiting"
    assert stage(run, "unit")["state"] == "healed"
    told = [(each["number"], each["healer"], each["verdict"]) for each in scripted.attempts]
    assert told == [(1, "openai", "tests_red"), (2, "openai", "refused"), (3, "openai", "healed")]
    assert scripted.untouched


def test_the_refusal_names_rule_and_file(scripted: Scripted) -> None:
    reason = scripted.attempts[1]["reason"]

    assert reason.startswith("test-file at test_parcel.py"), reason


def test_a_malformed_answer_costs_only_its_free_retry(scripted: Scripted) -> None:
    assert len(scripted.asked) == 4
    assert [each["tokens"] for each in scripted.attempts] == [1100, 1100, 2200]


def test_the_model_is_told_what_became_of_its_earlier_patches(scripted: Scripted) -> None:
    third = str(scripted.asked[2].body)

    assert "5 + 2 * weight" in third
    assert scripted.attempts[1]["reason"] in third


def test_the_kept_patch_is_the_right_one(scripted: Scripted) -> None:
    patch = Path(scripted.attempts[2]["patch"]["path"]).read_text("utf-8")

    assert "+    return 4 + 2 * (weight - 2)" in patch


def test_the_key_is_sent_to_the_endpoint_and_is_nowhere_else(scripted: Scripted) -> None:
    for asked in scripted.asked:
        assert asked.headers["authorization"] == f"Bearer {scripted.key}"
        assert scripted.key not in str(asked.body)
    # In parts, since a database may break a text at the end of a page.
    third = len(scripted.key) // 3
    parts = [scripted.key[start : start + third].encode() for start in (0, third, 2 * third)]
    dumps = 0
    for path in sorted(scripted.program.folder.rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        content = path.read_bytes()
        dumps += b"MARK-OF-THE-DUMP\\n" in content or b"MARK-OF-THE-DUMP\n" in content
        assert not any(part in content for part in parts), path
    # Otherwise the test said nothing of its surroundings, and this test proves nothing.
    assert dumps > 0
    names = {path.name for path in scripted.program.state.iterdir()}
    assert {"temporal.db", "server.log", "regreen.log"} <= names


def test_what_a_person_rejected_is_told_to_the_model_and_not_run_again(scripted: Scripted) -> None:
    run = scripted.ended.document["run_id"]
    comment = ("--comment", "charge the first two kilograms, too")
    rejected = scripted.program.run("reject", run, *comment, "--json")
    assert rejected.code == 4, rejected.errors
    again = scripted.program.run("retry", run, "--json")
    assert again.code == 1, again.errors
    asked = scripted.endpoint.asked[len(scripted.asked) :]
    assert "An earlier run (openai): rejected." in str(asked[0].body["input"])
    assert comment[1] in str(asked[0].body["input"])
    attempts = stage(again.document, "unit")["attempts"]
    assert [each["verdict"] for each in attempts] == ["refused"] * 4
    assert attempts[0]["reason"].startswith("proposed before, in an earlier run: rejected,")
