"""Real runs with Slack and Discord set: both hear of start and end, and of what is between."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doubles.chat import SECRETS, Chat, chat
from tests.e2e.conftest import MakeProgram
from tests.e2e.plain_repository import plain_repository
from tests.e2e.regreen_program import stage

HEALABLE = {
    "clamp.py": """def clamp(value, high):
    if value < high:
        return high
    return value
""",
    "test_clamp.py": """from clamp import clamp


def test_above():
    assert clamp(12, 10) == 10


def test_inside():
    assert clamp(5, 10) == 5
""",
    "regreen.yaml": "coverage: null\nsecurity: null\npackage: null\n",
}
RED = {
    "run.sh": """cat > report.xml <<END
<testsuite><testcase classname="shop" name="test_sum"><failure message="5 is not 6"/></testcase>
</testsuite>
END
exit 1
""",
    "regreen.yaml": """healers: []
unit: {command: [sh, run.sh], report: report.xml}
coverage: null
security: null
package: null
""",
}


@pytest.fixture
def services() -> Iterator[Chat]:
    with chat() as running:
        yield running
        assert running.refused == []


def _slack_titles(services: Chat) -> list[str]:
    return [body["text"].partition(" `")[0] for body in services.bodies("slack")]


def _discord_kinds(services: Chat) -> list[str]:
    titles = [body["embeds"][0]["title"] for body in services.bodies("discord")]
    return [title.partition("\\: ")[2].partition(" ")[0] for title in titles]


def test_a_healed_run_is_told_until_a_person_has_decided(
    make_program: MakeProgram, services: Chat, tmp_path: Path
) -> None:
    repository = plain_repository(tmp_path / "shop", HEALABLE)
    program = make_program(
        SLACK_WEBHOOK=services.addresses["slack"], DISCORD_WEBHOOK=services.addresses["discord"]
    )
    ran = program.run("run", repository, "--json")
    assert (ran.document["state"], stage(ran.document, "unit")["state"]) == ("waiting", "healed")
    assert _discord_kinds(services) == ["started", "healed", "waiting"]

    program.run("reject", ran.document["workflow_id"])

    kinds = ["started", "healed", "waiting", "rejected"]
    assert _discord_kinds(services) == kinds
    colours = ["🟡", "🟢", "🟡", "🔴"]
    assert _slack_titles(services) == [
        f"{colour} Regreen: {kind}" for colour, kind in zip(colours, kinds, strict=True)
    ]
    told = json.dumps([shown.body for shown in services.shown], ensure_ascii=False)
    assert f"regreen approve {ran.document['workflow_id']}" in told
    # Neither what was wrong nor what mends it leaves the machine.
    assert "value < high" not in told and "&lt;" not in told and "assert" not in told
    written = (program.state / "regreen.log").read_text("utf-8")
    assert not any(path in written for path in SECRETS.values())


def test_a_place_that_nobody_answers_at_changes_no_verdict_and_holds_up_no_other(
    make_program: MakeProgram, services: Chat, tmp_path: Path
) -> None:
    repository = plain_repository(tmp_path / "shop", RED)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        program = make_program(
            SLACK_WEBHOOK=f"http://127.0.0.1:{closed.getsockname()[1]}{SECRETS['slack']}",
            DISCORD_WEBHOOK=services.addresses["discord"],
        )
        ran = program.run("run", repository, "--json")
    assert (ran.code, ran.document["state"]) == (1, "failed")
    assert _discord_kinds(services) == ["started", "failed"]
    [_, failed] = services.bodies("discord")
    assert "test_sum" in failed["embeds"][0]["description"]
    assert "5 is not 6" not in json.dumps(failed)
    assert "a place could not be told yet" in ran.errors
    assert SECRETS["slack"] not in ran.errors + ran.output
